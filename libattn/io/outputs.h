// Before long work: what it will write can be written, and is none of what it reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace attn::io {

/// Throws UsageError, naming both, when one of `outputs` is one of the files `inputs`, by whatever
/// path or link, or stands among them twice. Empty paths and files that are not there yet are
/// allowed in both.
void refuse_overwriting(const std::vector<std::filesystem::path>& outputs,
                        const std::vector<std::filesystem::path>& inputs);

/// Makes the folder of the file that `option` ("--out") names. Throws UsageError when it names a
/// folder, StorageError when no file can be written there.
void require_writable(const std::filesystem::path& file, const std::string& option);

}  // namespace attn::io
