# FindArrowWheel: Apache Arrow C++ from the headers and libraries that the PyPI pyarrow wheel carries.
#
#   ArrowWheel::arrow      libarrow and its headers (CSV reading and writing are inside it)
#   ArrowWheel::parquet    libparquet
#
# ARROW_ROOT (cache variable or environment) is the unpacked wheel's pyarrow/ folder. The wheel has neither a CMake
# package nor unversioned library names, so the libraries are found by their versioned names.

if(NOT ARROW_ROOT)
  set(ARROW_ROOT "$ENV{ARROW_ROOT}")
endif()
find_path(ArrowWheel_INCLUDE_DIR arrow/api.h HINTS "${ARROW_ROOT}/include")
file(GLOB _arrow_libs "${ARROW_ROOT}/libarrow.so.*" "${ARROW_ROOT}/lib/libarrow.so")
file(GLOB _parquet_libs "${ARROW_ROOT}/libparquet.so.*" "${ARROW_ROOT}/lib/libparquet.so")
foreach(_pair arrow parquet)
  if(_${_pair}_libs)
    list(GET _${_pair}_libs 0 ArrowWheel_${_pair}_LIBRARY)
  endif()
endforeach()
if(ArrowWheel_INCLUDE_DIR)
  file(STRINGS "${ArrowWheel_INCLUDE_DIR}/arrow/util/config.h" _version REGEX "define ARROW_VERSION_STRING ")
  string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" ArrowWheel_VERSION "${_version}")
endif()
mark_as_advanced(ArrowWheel_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ArrowWheel
  REQUIRED_VARS ArrowWheel_arrow_LIBRARY ArrowWheel_parquet_LIBRARY ArrowWheel_INCLUDE_DIR
  VERSION_VAR ArrowWheel_VERSION
  REASON_FAILURE_MESSAGE "Run ./dev build, or point ARROW_ROOT at the pyarrow/ folder of an unpacked pyarrow wheel.")
if(NOT ArrowWheel_FOUND OR TARGET ArrowWheel::arrow)
  return()
endif()
foreach(_lib arrow parquet)
  add_library(ArrowWheel::${_lib} SHARED IMPORTED)
  set_target_properties(ArrowWheel::${_lib} PROPERTIES
    IMPORTED_LOCATION "${ArrowWheel_${_lib}_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${ArrowWheel_INCLUDE_DIR}")
endforeach()
set_property(TARGET ArrowWheel::parquet APPEND PROPERTY INTERFACE_LINK_LIBRARIES ArrowWheel::arrow)
