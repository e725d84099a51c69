#include "pathology/slide/encoder.h"

#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "pathology/slide/stain_stats.h"

namespace pathology {

std::vector<std::string> encoder_names() {
  return {StainStatsEncoder::kName};
}

std::unique_ptr<Encoder> make_encoder(const std::string& name) {
  if (name == StainStatsEncoder::kName) return std::make_unique<StainStatsEncoder>();
  const std::vector<std::string> names = encoder_names();
  throw attn::UsageError("there is no encoder " + attn::io::quote_text(name) + "; known: " +
                         attn::io::list_names(names) + attn::io::did_you_mean(name, names));
}

}  // namespace pathology
