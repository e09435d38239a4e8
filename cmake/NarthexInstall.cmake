# How narthex is installed: every library is a component of its own, so that who
# wants PromQL alone needs neither curl nor yaml-cpp.
#
#   find_package(narthex CONFIG REQUIRED COMPONENTS promql)
#   pkg-config --cflags --libs narthex-promql     # the facade: narthex

include(CMakePackageConfigHelpers)

set(NARTHEX_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/narthex)
# From a .pc file to the prefix, so that an installed tree may be moved.
file(RELATIVE_PATH NARTHEX_PC_TO_PREFIX
  "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" NARTHEX_PC_TO_PREFIX "${NARTHEX_PC_TO_PREFIX}")

install(FILES
  ${PROJECT_SOURCE_DIR}/cmake/Findc-ares.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindRE2.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindxxHash.cmake
  DESTINATION ${NARTHEX_CMAKE_DIR})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/narthexConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/narthexConfig.cmake
  INSTALL_DESTINATION ${NARTHEX_CMAKE_DIR})
# Before 1.0 a minor release may change the interface.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/cmake/narthexConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/narthexConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/narthexConfigVersion.cmake
  DESTINATION ${NARTHEX_CMAKE_DIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# narthex_pc_name(<library> <variable>): narthex-tsdb; the facade is narthex.
function(narthex_pc_name library out)
  if(library STREQUAL "narthex")
    set(${out} narthex PARENT_SCOPE)
  else()
    set(${out} narthex-${library} PARENT_SCOPE)
  endif()
endfunction()

# Called by narthex_library for each library.
function(narthex_install library packages modules public sources)
  install(TARGETS narthex_${library} EXPORT narthex-${library}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT narthex-${library} NAMESPACE narthex::
    FILE narthex-${library}-targets.cmake DESTINATION ${NARTHEX_CMAKE_DIR})

  # What narthexConfig.cmake does before it loads the targets.
  set(depends "")
  foreach(package IN LISTS packages)
    string(APPEND depends "find_dependency(${package})\n")
  endforeach()
  foreach(target IN LISTS public)
    if(target MATCHES "^narthex::(.*)$")
      string(APPEND depends "narthex_load_component(${CMAKE_MATCH_1})\n")
      narthex_pc_name(${CMAKE_MATCH_1} module)
      list(PREPEND modules ${module})
    endif()
  endforeach()
  set(depends_file
    ${PROJECT_BINARY_DIR}/cmake/narthex-${library}-depends.cmake)
  file(CONFIGURE OUTPUT ${depends_file} CONTENT "${depends}" @ONLY)
  install(FILES ${depends_file} DESTINATION ${NARTHEX_CMAKE_DIR})

  # The libraries are static, so what they need is needed by everyone.
  narthex_pc_name(${library} pc_name)
  list(JOIN modules " " requires)
  set(libs "-L\${libdir}")
  if(sources)
    string(APPEND libs " -lnarthex_${library}")
  endif()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/cmake/${pc_name}.pc CONTENT
"prefix=\${pcfiledir}/${NARTHEX_PC_TO_PREFIX}
libdir=\${prefix}/${CMAKE_INSTALL_LIBDIR}
includedir=\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}

Name: ${pc_name}
Description: ${PROJECT_DESCRIPTION}: ${library}
Version: ${PROJECT_VERSION}
Requires: ${requires}
Cflags: -I\${includedir}
Libs: ${libs} -pthread
" @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/cmake/${pc_name}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
