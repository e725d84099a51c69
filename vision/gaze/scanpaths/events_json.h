// What the tracker told beside the fixations, as JSON.
#pragma once

#include "vision/gaze/scanpaths/json_values.h"
#include "vision/gaze/scanpaths/scanpaths.h"

namespace gaze {

Json json_of_events(const Events& events);
/// Throws attn::Error beginning with `where`.
Events events_of_json(const Json& value, const std::string& where);

}  // namespace gaze
