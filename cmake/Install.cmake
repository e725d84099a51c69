# Two components:
#   libattn    headers, the two shared libraries, the CMake package `attn` and attn-core.pc; may be moved as a whole
#   programs   the programs, which find LibTorch and the rest where they were at build time (`./dev package` bundles them)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(_package "${CMAKE_INSTALL_LIBDIR}/cmake/attn")
set(_generated "${PROJECT_BINARY_DIR}/package")

# Headers of rooms that are in neither library, and those of libattn where it is left out: who include LibTorch, and two more.
set(_not_installed PATTERN hooks.h EXCLUDE)
set(ATTN_TORCH_HEADERS probe.h probe_page.h)
file(GLOB _headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/libattn/include/attn/*.h")
foreach(_header ${_headers})
  file(STRINGS "${_header}" _torch REGEX "#include <(ATen|c10|torch)/")
  if(_torch)
    get_filename_component(_name "${_header}" NAME)
    list(APPEND ATTN_TORCH_HEADERS ${_name})
  endif()
endforeach()
if(NOT TARGET attn_report)
  list(APPEND _not_installed PATTERN probe_page.h EXCLUDE)
endif()
if(NOT TARGET attn_shared)
  foreach(_name ${ATTN_TORCH_HEADERS})
    list(APPEND _not_installed PATTERN ${_name} EXCLUDE)
  endforeach()
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/libattn/include/attn" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT libattn
  FILES_MATCHING PATTERN "*.h" ${_not_installed})


set(_torch_range "")
install(TARGETS attn_core_shared EXPORT attn-core LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT libattn)
install(EXPORT attn-core NAMESPACE attn:: DESTINATION "${_package}" COMPONENT libattn)
if(TARGET attn_shared)
  install(TARGETS attn_shared EXPORT attn-attn LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT libattn)
  install(EXPORT attn-attn NAMESPACE attn:: DESTINATION "${_package}" COMPONENT libattn)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake" DESTINATION "${_package}" COMPONENT libattn)
  # LibTorch keeps no ABI from one minor version to the next.
  string(REGEX MATCH "^([0-9]+)\\.([0-9]+)" _ "${LibTorch_VERSION}")
  math(EXPR _next "${CMAKE_MATCH_2} + 1")
  set(_torch_range "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}...<${CMAKE_MATCH_1}.${_next}")
endif()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/attn-config.cmake.in" "${_generated}/attn-config.cmake"
  INSTALL_DESTINATION "${_package}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${_generated}/attn-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${_generated}/attn-config.cmake" "${_generated}/attn-config-version.cmake"
  DESTINATION "${_package}" COMPONENT libattn)

# Its prefix is where the file lies, so that the whole may be moved.
file(RELATIVE_PATH _prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" _prefix "${_prefix}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/attn-core.pc.in" "${_generated}/attn-core.pc" @ONLY)
install(FILES "${_generated}/attn-core.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT libattn)
install(FILES "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
  "${PROJECT_SOURCE_DIR}/docs/features.md" "${PROJECT_SOURCE_DIR}/docs/linear-attention.md" "${PROJECT_SOURCE_DIR}/docs/linking.md"
  "${PROJECT_SOURCE_DIR}/docs/probe.md" "${PROJECT_SOURCE_DIR}/docs/speed.md" "${PROJECT_SOURCE_DIR}/docs/third-party.md"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT libattn)

get_property(_programs GLOBAL PROPERTY ATTN_INSTALLED_PROGRAMS)
if(_programs)
  install(TARGETS ${_programs} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT programs)
endif()
