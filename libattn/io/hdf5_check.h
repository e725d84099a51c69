// Is a file safe to hand to the HDF5 library?
#pragma once

#include <filesystem>
#include <string>

namespace attn::io::h5 {

/// What commit() appends to a file: 48 bytes with the XXH3-128 of all before. HDF5 ignores what
/// follows its data, and drops it when another program changes the file.
std::string seal_of(const std::filesystem::path& path);

/// Attribute of the file that says that there was a seal: another program's change drops the seal,
/// damage overwrites it.
inline constexpr const char* kSealedMark = "attn_sealed";

/// True where the bytes in the place of a seal are all zero, as a copy leaves them that stopped.
bool ends_in_zeros(const std::filesystem::path& path);

/// Throws Error when the file is damaged so that HDF5 1.10 would crash or loop on it (it does on
/// many a zeroed or flipped byte). A sealed file is compared with its checksum. Any other file has
/// its structure (groups, attributes, dataset headers and chunk indices, not the data) walked by
/// the library in a child process first, which may die in our place. Each file is checked once per
/// process as long as its size and time stay the same. True for a sealed file, all of which is as
/// it was written.
bool demand_sound(const std::filesystem::path& path);

}  // namespace attn::io::h5
