// Before long work: what it will write can be written, and is none of what it reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace pathology {

/// Throws attn::UsageError, naming both, when one of `outputs` is one of the files `inputs`, by
/// whatever path or link.
void refuse_overwriting(const std::vector<std::filesystem::path>& outputs,
                        const std::vector<std::filesystem::path>& inputs);

/// Makes the folder of the file that `option` ("--out") names. Throws attn::UsageError when it
/// names a folder, attn::StorageError when no file can be written there.
void require_writable(const std::filesystem::path& file, const std::string& option);

}  // namespace pathology
