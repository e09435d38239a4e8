# How a library of narthex is declared.
#
#   narthex_headers(promql narthex/promql engine.h value.h)  # public, by folder
#   narthex_sources(promql parse lexer.cc parser.cc)         # by room
#   narthex_library(scrape PACKAGES CURL PKG_CONFIG libcurl
#     PUBLIC narthex::model PRIVATE CURL::libcurl)
#
# gives the static library narthex_scrape, known as narthex::scrape inside the
# tree and after find_package alike, and narthex-scrape.pc.  What its headers
# show is PUBLIC, the rest PRIVATE.  PACKAGES are found here and, for whoever
# uses the installed library, by narthexConfig.cmake; PKG_CONFIG names the same
# libraries as pkg-config does.  File lists may be given in several calls, one file a line, so that
# rooms can grow side by side.  A library without sources yet is an INTERFACE
# library: whoever links it configures all the same.

# Applies to everything that is compiled in the tree.
if(NARTHEX_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(NARTHEX_CCACHE_PROGRAM ccache)
  mark_as_advanced(NARTHEX_CCACHE_PROGRAM)
  if(NARTHEX_CCACHE_PROGRAM)
    # The base directory lets several checkouts share results.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros
      ${NARTHEX_CCACHE_PROGRAM})
  endif()
endif()

add_library(narthex_build_flags INTERFACE)
# Sums are what they are in Prometheus: no contraction into FMA.
target_compile_options(narthex_build_flags INTERFACE
  -Wall -Wextra -ffp-contract=off
  $<$<BOOL:${NARTHEX_WERROR}>:-Werror>
  # gcc 12, optimising, sees overlaps and overflows in std::string's own code
  # (its bugs 105329, 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-restrict>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-stringop-overflow>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
target_compile_definitions(narthex_build_flags INTERFACE
  $<$<BOOL:${NARTHEX_CHECKS}>:NARTHEX_CHECKS=1 _GLIBCXX_ASSERTIONS>)
if(NARTHEX_SANITIZE)
  add_compile_options(-fsanitize=${NARTHEX_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${NARTHEX_SANITIZE})
endif()
if(NARTHEX_SANITIZE MATCHES "thread")
  find_package(absl REQUIRED)
  add_library(narthex_tsan OBJECT ${PROJECT_SOURCE_DIR}/test/tsan/abseil.cc)
  target_compile_features(narthex_tsan PRIVATE cxx_std_20)
  target_link_libraries(narthex_tsan
    PUBLIC absl::base absl::status absl::synchronization ${CMAKE_DL_LIBS}
    PRIVATE narthex_build_flags)
endif()

# What every target of the tree has in common, libraries and programs.
function(narthex_target_defaults target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE
    $<BUILD_INTERFACE:narthex_build_flags>)
  get_target_property(type ${target} TYPE)
  if(TARGET narthex_tsan AND type STREQUAL "EXECUTABLE")
    target_link_libraries(${target} PRIVATE narthex_tsan)
  endif()
endfunction()

# narthex_sources(<library> <room> <file>...): implementation files of a room,
# a folder of the calling directory.
function(narthex_sources library room)
  cmake_path(ABSOLUTE_PATH room NORMALIZE)  # "." is a room too
  string(REGEX REPLACE "/$" "" room "${room}")
  list(TRANSFORM ARGN PREPEND "${room}/")
  set_property(GLOBAL APPEND PROPERTY NARTHEX_${library}_SOURCES ${ARGN})
endfunction()

# narthex_headers(<library> <folder> <file>...): public headers, included as
# "<folder>/<file>"; they lie in include/ of the calling directory.
function(narthex_headers library folder)
  list(TRANSFORM ARGN PREPEND
    "${CMAKE_CURRENT_SOURCE_DIR}/include/${folder}/")
  set_property(GLOBAL APPEND PROPERTY NARTHEX_${library}_HEADERS ${ARGN})
endfunction()

# narthex_library(<library> [PACKAGES <package>...] [PKG_CONFIG <module>...]
#                 [PUBLIC <target>...] [PRIVATE <target>...])
function(narthex_library library)
  cmake_parse_arguments(PARSE_ARGV 1 arg ""
    "" "PACKAGES;PKG_CONFIG;PUBLIC;PRIVATE")
  foreach(package IN LISTS arg_PACKAGES)
    find_package(${package} REQUIRED)
  endforeach()
  get_property(sources GLOBAL PROPERTY NARTHEX_${library}_SOURCES)
  get_property(headers GLOBAL PROPERTY NARTHEX_${library}_HEADERS)
  set(target narthex_${library})
  if(sources)
    set(scope PUBLIC)
    add_library(${target} STATIC ${sources})
    narthex_target_defaults(${target})
    target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  else()
    message(STATUS "narthex::${library} has no sources yet")
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${arg_PUBLIC} ${arg_PRIVATE})
  endif()
  target_compile_features(${target} ${scope} cxx_std_20)
  target_sources(${target} ${scope} FILE_SET HEADERS
    BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${headers})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${library})
  add_library(narthex::${library} ALIAS ${target})
  set_property(GLOBAL APPEND PROPERTY NARTHEX_LIBRARIES ${library})
  if(NARTHEX_INSTALL)
    narthex_install(${library} "${arg_PACKAGES}" "${arg_PKG_CONFIG}"
      "${arg_PUBLIC}" "${sources}")
  endif()
endfunction()

# narthex_program(<name> SOURCES <file>... LINK <target>...): an executable; none
# as long as it has no sources.
function(narthex_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  if(NOT arg_SOURCES)
    message(STATUS "${name} has no sources yet")
    return()
  endif()
  set(sources ${arg_SOURCES})
  list(TRANSFORM sources PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  set_property(GLOBAL APPEND PROPERTY NARTHEX_PROGRAM_SOURCES ${sources})
  add_executable(${name} ${arg_SOURCES})
  narthex_target_defaults(${name})
  target_link_libraries(${name} PRIVATE ${arg_LINK})
endfunction()
