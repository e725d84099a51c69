# Imported targets for the Debian libraries that bring no (small) CMake package of their own.
# Imported targets make their headers system headers, so our warnings stay ours.
find_package(PkgConfig REQUIRED)
pkg_check_modules(openslide REQUIRED IMPORTED_TARGET openslide)
pkg_check_modules(hdf5 REQUIRED IMPORTED_TARGET hdf5)
pkg_check_modules(tiff REQUIRED IMPORTED_TARGET libtiff-4)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)

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
