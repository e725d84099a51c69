#include "vision/gaze/scanpaths/scanpaths.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {

bool on_screen(const Fixation& f, const Screen& screen) {
  return f.x >= 0 && f.x <= screen.width && f.y >= 0 && f.y <= screen.height;
}

ScanpathCounts count(const Scanpaths& of) {
  ScanpathCounts n;
  std::set<std::string> images, subjects;
  for (const Image& image : of.images) images.insert(image.name);
  for (const Trial& trial : of.trials) {
    if (!trial.image.empty()) images.insert(trial.image);
    if (!trial.subject.empty()) subjects.insert(trial.subject);
    n.fixations += static_cast<int64_t>(trial.fixations.size());
    n.empty += trial.fixations.empty() ? 1 : 0;
    n.told_correct += trial.correct ? 1 : 0;
    n.correct += trial.correct.value_or(false) ? 1 : 0;
    n.unfinished += trial.events.unfinished;
    for (const Fixation& f : trial.fixations) {
      if (!has_position(f)) {
        ++n.without_position;
      } else if (!on_screen(f, trial.screen)) {
        ++n.off_screen;
      }
      n.without_duration += std::isnan(f.duration) ? 1 : 0;
    }
  }
  n.trials = static_cast<int64_t>(of.trials.size());
  n.images = static_cast<int64_t>(images.size());
  n.subjects = static_cast<int64_t>(subjects.size());
  return n;
}

Screen common_screen(const Scanpaths& of) {
  if (of.trials.empty()) throw attn::Error("expected trials with a screen, found no trial");
  const Trial& first = of.trials.front();
  const auto other = std::find_if(of.trials.begin(), of.trials.end(), [&](const Trial& trial) {
    return !same_screen(trial.screen, first.screen);
  });
  if (other != of.trials.end())
    throw attn::Error("expected one size of screen for all trials, found " +
                      screen_text(first.screen) + " in " + trial_name(first, 0) + " and " +
                      screen_text(other->screen) + " in " +
                      trial_name(*other, static_cast<size_t>(other - of.trials.begin())) +
                      "; take the trials of one screen");
  return first.screen;
}

std::string trial_name(const Trial& trial, size_t index) {
  std::string about = trial.image.empty() ? trial.id : trial.image;
  if (!trial.subject.empty()) about += (about.empty() ? "subject " : ", subject ") + trial.subject;
  if (!trial.eye.empty()) about += (about.empty() ? "eye " : ", eye ") + trial.eye;
  const std::string number = "trial " + std::to_string(index + 1);
  return about.empty() ? number : number + " (" + attn::io::one_line(about) + ")";
}

}  // namespace gaze
