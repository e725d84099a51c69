# FindArrowWheel: Apache Arrow C++ from the headers and libraries that the PyPI pyarrow wheel carries.
#
#   ArrowWheel::arrow      libarrow and its headers (CSV reading and writing are inside it)
#   ArrowWheel::parquet    libparquet
#
# ARROW_ROOT (cache variable or environment) is the unpacked wheel's pyarrow/ folder. The wheel has neither a CMake
# package nor unversioned library names: the libraries are those of the version that the headers state. Nothing found is
# kept from one configuration to the next, so that a changed root counts.

if(NOT ARROW_ROOT)
  set(ARROW_ROOT "$ENV{ARROW_ROOT}")
endif()
unset(ArrowWheel_INCLUDE_DIR CACHE)
find_path(ArrowWheel_INCLUDE_DIR arrow/api.h HINTS "${ARROW_ROOT}/include" NO_DEFAULT_PATH NO_CACHE)
if(ArrowWheel_INCLUDE_DIR)
  file(STRINGS "${ArrowWheel_INCLUDE_DIR}/arrow/util/config.h" _config REGEX "define ARROW_(SO_)?VERSION(_STRING)? \"")
  string(REGEX REPLACE ".*ARROW_VERSION_STRING \"([0-9.]+).*" "\\1" ArrowWheel_VERSION "${_config}")
  string(REGEX REPLACE ".*ARROW_SO_VERSION \"([0-9]+).*" "\\1" _so_version "${_config}")
endif()
foreach(_lib arrow parquet)
  find_file(ArrowWheel_${_lib}_LIBRARY NAMES lib${_lib}.so.${_so_version}
    HINTS "${ARROW_ROOT}" PATH_SUFFIXES lib NO_DEFAULT_PATH NO_CACHE)
endforeach()

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
