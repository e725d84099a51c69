// The file driver that created files are written through.
#pragma once

#include <hdf5.h>

namespace attn::io::h5 {

/// What the driver tells the file's owner, and hears from it.
struct WriteState {
  int error_number =
      0;  ///< errno of the first write that failed; from then on nothing reaches the disk
  bool discard =
      false;  ///< set before closing a file that nobody wants: nothing more reaches the disk
};

/// Makes files created with these access properties write through the driver and report to `state`,
/// which must outlive the file.
///
/// Why a driver of our own: when a write fails (full disk, quota), HDF5 1.10 can neither close the
/// file nor forget it; handles leak and the library crashes at exit. This driver remembers the
/// failure for the caller, tells the library that all is well, and keeps later metadata in memory
/// so that the file can be closed in an orderly way.
bool set_write_driver(hid_t access_properties, WriteState* state);

}  // namespace attn::io::h5
