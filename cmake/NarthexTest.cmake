# How tests are declared: one executable per library, a list per folder.
#
#   narthex_tests(tsdb tsdb/chunk xor_chunk_test.cc)  # -> test_tsdb
#   narthex_test_executable(tsdb narthex::tsdb)
#
# catch.hpp is compiled once per executable.  Every test file is a ctest of its
# own, named after its path: Catch2 is asked for the cases of one file (-#), so
# a failure names the file, and ctest -j spreads the files over the cores.

find_package(Catch2 REQUIRED)

# narthex_tests(<executable> <folder> <file>...)
function(narthex_tests executable folder)
  list(TRANSFORM ARGN PREPEND "${folder}/")
  set_property(GLOBAL APPEND PROPERTY NARTHEX_TESTS_${executable} ${ARGN})
endfunction()

# narthex_test_support(<file>...): fixtures that every executable gets.
function(narthex_test_support)
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/support/")
  set_property(GLOBAL APPEND PROPERTY NARTHEX_TEST_SUPPORT ${ARGN})
endfunction()

# narthex_test_executable(<executable> <target>...)
function(narthex_test_executable executable)
  get_property(files GLOBAL PROPERTY NARTHEX_TESTS_${executable})
  get_property(support GLOBAL PROPERTY NARTHEX_TEST_SUPPORT)
  set(target test_${executable})
  if(NOT files)
    message(STATUS "${target} has no sources yet")
    return()
  endif()
  add_executable(${target} ${files} ${support})
  narthex_target_defaults(${target})
  target_link_libraries(${target} PRIVATE ${ARGN} Catch2::Catch2WithMain)
  target_precompile_headers(${target} PRIVATE <catch2/catch.hpp>)
  target_compile_definitions(${target} PRIVATE
    NARTHEX_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

  # Files under fuzz/ and the like may hold no TEST_CASE of their own.
  foreach(file IN LISTS files)
    if(NOT file MATCHES "_test\\.cc$")
      continue()
    endif()
    string(REGEX REPLACE "\\.cc$" "" name "${file}")
    cmake_path(GET name FILENAME tag)
    add_test(NAME ${name} COMMAND ${target} -\# -w NoTests "[#${tag}]")
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endforeach()
endfunction()
