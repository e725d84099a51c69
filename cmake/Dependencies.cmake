# What this tree stands on. The programs need all of it; libattn alone needs Highway, and each further room of it is built
# where what that room needs is there. Imported targets make their headers system headers, so our warnings stay ours.
set(_need QUIET)
if(ATTN_PROGRAMS)
  set(_need REQUIRED)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)

# A LibTorch that is named must be there, also under AUTO.
if(ATTN_TORCH STREQUAL "AUTO")
  set(_torch ${_need})
  if(LIBTORCH_ROOT OR Torch_DIR OR DEFINED ENV{LIBTORCH_ROOT} OR DEFINED ENV{Torch_DIR})
    set(_torch REQUIRED)
  endif()
  find_package(LibTorch 2.11 ${_torch})
elseif(ATTN_TORCH)
  find_package(LibTorch 2.11 REQUIRED)
elseif(ATTN_PROGRAMS)
  message(FATAL_ERROR "ATTN_TORCH is ${ATTN_TORCH} and ATTN_PROGRAMS is ${ATTN_PROGRAMS}; the programs need LibTorch: turn one of the two over.")
endif()

# libattn/io, libattn/report and libattn/train.
find_package(nlohmann_json ${_need})
pkg_check_modules(xxhash ${_need} IMPORTED_TARGET libxxhash)
pkg_check_modules(hdf5 ${_need} IMPORTED_TARGET hdf5)
find_package(ArrowWheel ${_need})
find_package(fmt ${_need})

if(NOT ATTN_PROGRAMS)
  return()
endif()
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(openslide REQUIRED IMPORTED_TARGET openslide)
pkg_check_modules(tiff REQUIRED IMPORTED_TARGET libtiff-4)

# OpenCV's CMake package comes only with the package that drags in every module; three modules are all we use.
find_path(OpenCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
mark_as_advanced(OpenCV_INCLUDE_DIR)
add_library(opencv::opencv INTERFACE IMPORTED)
target_include_directories(opencv::opencv INTERFACE "${OpenCV_INCLUDE_DIR}")
foreach(_module core imgproc imgcodecs)
  find_library(OpenCV_${_module}_LIBRARY opencv_${_module} REQUIRED)
  mark_as_advanced(OpenCV_${_module}_LIBRARY)
  target_link_libraries(opencv::opencv INTERFACE "${OpenCV_${_module}_LIBRARY}")
endforeach()
