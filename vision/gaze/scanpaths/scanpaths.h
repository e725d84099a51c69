// Recorded scanpaths as plain data: what the readers of this room give and the writers take.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vision/gaze/scanpath/box.h"
#include "vision/gaze/scanpath/fixation.h"

namespace gaze {

/// What an eye tracker told beside the fixations. Times in seconds of the tracker's clock.
struct SaccadeEvent {
  double start = 0, end = 0;
  double x0 = kNaN, y0 = kNaN, x1 = kNaN, y1 = kNaN;  ///< pixels; NaN where the gaze was lost
  double amplitude = kNaN;                            ///< degrees
  double peak_velocity = kNaN;                        ///< degrees per second
  double duration = 0;                                ///< with the last sample, as told
};
struct BlinkEvent {
  double start = 0, end = 0, duration = 0;
};
struct Message {
  double time = 0;
  std::string text;  ///< UTF-8
};
struct Events {
  std::vector<SaccadeEvent> saccades;
  std::vector<BlinkEvent> blinks;
  std::vector<Message> messages;
  int64_t samples = 0;     ///< that were in the file, not kept
  int64_t unfinished = 0;  ///< fixations that began and of which no end was told
  bool ended = true;  ///< false: the file, or the next recording, came before the end of this one
  bool any() const {
    return !saccades.empty() || !blinks.empty() || !messages.empty() || samples > 0 ||
           unfinished > 0 || !ended;
  }
};

/// One scanpath of one eye (or of the gaze, where the format tells no eye) over one picture. Texts
/// that a format does not tell are empty.
struct Trial {
  std::string image, subject, task, condition, split;
  std::string id;   ///< in its recording: TRIAL_INDEX, the text behind TRIALID, a file's name
  std::string eye;  ///< "L", "R"
  Screen screen;    ///< what positions refer to: pixels from its upper left corner
  std::vector<Fixation> fixations;  ///< durations are NaN where the format has none
  std::vector<double> starts;       ///< seconds; one a fixation, or empty: not told
  std::optional<Box> target;
  std::optional<bool> correct;
  Events events;
  /// What else the format told, value by value as JSON text (`920`, `"dickens"`): of the trial, and
  /// of each fixation (as many values as fixations).
  std::map<std::string, std::string> extra;
  std::map<std::string, std::vector<std::string>> fields;
};

/// A picture of which the format tells more than the trials hold.
struct Image {
  std::string name;
  Screen size;
  std::vector<Box> targets;
  std::map<std::string, std::string> extra;  ///< as Trial::extra
};

struct Scanpaths {
  std::vector<Trial> trials;
  std::vector<Image> images;
};

struct ScanpathCounts {
  int64_t trials = 0, images = 0, subjects = 0;  ///< images and subjects: names that differ
  int64_t fixations = 0;
  int64_t off_screen = 0;        ///< of these with a position outside of [0, width] x [0, height]
  int64_t without_position = 0;  ///< of these without a finite position
  int64_t without_duration = 0;  ///< of these, NaN
  int64_t empty = 0;             ///< trials without a fixation
  int64_t correct = 0, told_correct = 0;  ///< trials; of those for which it is told
  int64_t unfinished = 0;                 ///< Events::unfinished together
};
ScanpathCounts count(const Scanpaths& of);

bool on_screen(const Fixation& f, const Screen& screen);

/// The one screen of all trials. Throws attn::Error naming two trials whose screens differ, or that
/// there are none.
Screen common_screen(const Scanpaths& of);

/// "trial 7 (000000211326.jpg, subject 2)" of the trial at an index from 0.
std::string trial_name(const Trial& trial, size_t index);

}  // namespace gaze
