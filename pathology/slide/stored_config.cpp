#include "pathology/slide/stored_config.h"

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"

namespace pathology {
namespace {

nlohmann::json without_place(nlohmann::json config) {
  const auto strip = [](nlohmann::json& value) {
    if (value.is_object() && value.contains("slide") && value["slide"].is_object())
      value["slide"].erase("path");
  };
  strip(config);
  if (config.is_object() && config.contains("tiles")) strip(config["tiles"]);
  return config;
}

}  // namespace

nlohmann::json stored_config(const attn::io::Hdf5File& file, const std::string& kind) {
  if (!file.has_attribute("/", kConfigAttribute)) return nullptr;
  const std::string where = "attribute attn_config of " + file.path().string();
  nlohmann::json config = attn::io::parse_json(file.string_attribute("/", kConfigAttribute), where);
  const auto version = attn::io::get<int64_t>(config, "format_version", where);
  if (version > kConfigVersion)
    throw attn::NewerFormat(file.path().string() + " has format version " +
                            std::to_string(version) + ", and this program reads up to " +
                            std::to_string(kConfigVersion) + "; use a newer program");
  const auto found = attn::io::get<std::string>(config, "kind", where);
  if (found != kind)
    throw attn::Error(file.path().string() + " holds " + attn::io::quote_text(found) +
                      "; expected " + attn::io::quote_text(kind));
  return config;
}

std::string stored_reason(const attn::io::Hdf5File& file) {
  return file.has_attribute("/", kReasonAttribute) ? file.string_attribute("/", kReasonAttribute)
                                                   : "";
}

std::vector<std::array<int64_t, 2>> read_coords(const attn::io::Hdf5File& file,
                                                const std::string& name) {
  const attn::io::H5Dataset dataset = file.dataset(name);
  if (dataset.shape.size() != 2 || dataset.shape[1] != 2)
    throw attn::Error(file.path().string() + ": " + name + " is " + dataset.describe() +
                      "; expected whole numbers of shape (N, 2)");
  const auto flat = file.read<int64_t>(name, 2);
  std::vector<std::array<int64_t, 2>> coords(flat.size() / 2);
  for (std::size_t i = 0; i < coords.size(); ++i) coords[i] = {flat[2 * i], flat[2 * i + 1]};
  return coords;
}

bool is_current(const std::filesystem::path& path, const nlohmann::json& config,
                const std::function<nlohmann::json(const std::filesystem::path&)>& read) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  try {
    return without_place(read(path)) == without_place(config);
  } catch (const attn::NewerFormat&) {
    throw;
  } catch (const attn::StorageError&) {
    throw;
  } catch (const attn::Error&) {
    return false;  // damaged: to be made again
  }
}

}  // namespace pathology
