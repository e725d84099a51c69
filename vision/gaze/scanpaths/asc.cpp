// EyeLink's ASC: recordings, trials, and what the parser found in them.
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/asc_lines.h"
#include "vision/gaze/scanpaths/formats.h"
#include "vision/gaze/scanpaths/json_values.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {
namespace {

using attn::Error;
using Words = std::vector<std::string_view>;

double seconds(double milliseconds) {
  return milliseconds / 1000;
}

/// What one eye did in a trial.
struct EyeTrial {
  std::vector<Fixation> fixations;
  std::vector<double> starts;
  std::map<std::string, std::vector<std::string>> fields;
  std::vector<SaccadeEvent> saccades;
  std::vector<BlinkEvent> blinks;
  int64_t unfinished = 0;

  void add(const AscEnd& e) {
    if (e.kind == AscKind::saccade) {
      SaccadeEvent s = e.saccade;
      s.start = seconds(e.start);
      s.end = seconds(e.end);
      s.duration = seconds(e.duration);
      saccades.push_back(s);
    } else if (e.kind == AscKind::blink) {
      blinks.push_back({seconds(e.start), seconds(e.end), seconds(e.duration)});
    } else {
      add_fixation(e);
    }
  }

 private:
  void add_fixation(const AscEnd& e) {
    const auto field = [&](const char* name, double value) {
      std::vector<std::string>& values = fields[name];
      values.resize(fixations.size(), "null");
      values.push_back(number_json(value).dump());
    };
    field("end", seconds(e.end));
    field("pupil", e.pupil);
    if (e.resolution || fields.contains("resolution_x")) {
      const std::array<double, 2> none = {kNaN, kNaN};
      const std::array<double, 2> resolution = e.resolution.value_or(none);
      field("resolution_x", resolution[0]);
      field("resolution_y", resolution[1]);
    }
    fixations.push_back(e.fixation);
    starts.push_back(seconds(e.start));
  }
};

/// A trial while it is read.
struct AscTrial {
  Trial shared;  ///< what both eyes have
  bool recorded = false;
  std::map<char, EyeTrial> eyes;
};

/// What began and did not end yet.
struct OpenEvent {
  double start = 0;
  size_t trial = 0;
};

class AscReader {
 public:
  AscReader(std::string name, const ReadOptions& options)
      : name_(std::move(name)), options_(options) {}

  Scanpaths read(std::string_view text) {
    bool broken = false;
    while (!text.empty()) {
      const size_t end = text.find('\n');
      broken = end == text.npos;
      ++row_;
      take(text.substr(0, end));
      text.remove_prefix(broken ? text.size() : end + 1);
    }
    if (broken && recording_)
      throw Error(where() +
                  ": the file ends inside of a recording and in the middle of a line; it was cut, "
                  "convert the EDF file again");
    finish();
    return std::move(result_);
  }

 private:
  std::string where() const { return name_ + ": row " + std::to_string(row_); }

  void take(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) return;
    if (line[0] >= '0' && line[0] <= '9') {
      if (recording_) ++trials_.back().shared.events.samples;
      return;
    }
    if (line[0] == '*') return take_header(line);
    if (line[0] < 'A' || line[0] > 'Z') return;
    const Words words = words_of(line);
    if (words[0] == "MSG") return take_message(asc_message(line, where()));
    if (words[0] == "START") return take_start(words);
    if (words[0] == "END") return take_end(words);
    if (words[0] == "EVENTS" || words[0] == "SAMPLES" || words[0] == "PUPIL")
      return take_settings(words);
    if (const auto begin = asc_begin(words, where())) return take_begin(*begin);
    if (const auto end = asc_end(words, where())) return take_finished(*end, words[0]);
  }

  /// The subject by the name of the EDF file.
  void take_header(std::string_view line) {
    constexpr std::string_view kFrom = "CONVERTED FROM ";
    const size_t at = line.find(kFrom);
    if (at == line.npos || !subject_.empty()) return;
    std::string_view file = line.substr(at + kFrom.size());
    file = file.substr(0, file.find(" using "));
    if (const size_t slash = file.find_last_of("/\\"); slash != file.npos)
      file.remove_prefix(slash + 1);
    subject_ = as_utf8(file.substr(0, file.rfind('.')));
  }

  void begin_trial(const std::string& id) {
    trials_.emplace_back();
    trials_.back().shared.id = id;
    trials_.back().recorded = recording_;
    trials_.back().shared.events.ended = !recording_;
    if (trials_.size() > 1 && recording_) {
      AscTrial& before = trials_[trials_.size() - 2];
      before.shared.events.ended = true;
      for (const auto& [eye, unused] : before.eyes) trials_.back().eyes[eye];
    }
    trials_.back().shared.events.messages.swap(early_);
  }

  void take_message(const AscMessage& message) {
    if (const auto id = behind(message.command, "TRIALID")) begin_trial(*id);
    (trials_.empty() ? early_ : trials_.back().shared.events.messages)
        .push_back({seconds(message.time), message.text});
    if (const auto screen = asc_screen(message, "DISPLAY_COORDS", where())) take_screen(*screen);
    if (const auto screen = asc_screen(message, "GAZE_COORDS", where()); screen && !gaze_screen_)
      gaze_screen_ = screen;
    if (trials_.empty()) return;
    if (const auto load = behind(message.command, "!V IMGLOAD")) take_image(*load);
    if (const auto variable = behind(message.command, "!V TRIAL_VAR")) take_variable(*variable);
  }

  void take_screen(const Screen& screen) {
    if (screen_ && !same_screen(*screen_, screen))
      throw Error(where() + ": DISPLAY_COORDS tells a screen of " + screen_text(screen) +
                  ", and before it was " + screen_text(*screen_) +
                  "; split the recording where the screen changes");
    screen_ = screen;
  }

  /// "FILL Images/text.png", "CENTER text.png 512 384".
  void take_image(const std::string& load) {
    Trial& trial = trials_.back().shared;
    const Words words = words_of(load);
    if (!trial.image.empty() || words.size() < 2) return;
    trial.image = words[0] == "FILL"
                      ? load.substr(static_cast<size_t>(words[1].data() - load.data()))
                      : std::string(words[1]);
  }

  void take_variable(const std::string& text) {
    Trial& trial = trials_.back().shared;
    const size_t end = std::min(text.find_first_of(" \t"), text.size());
    const std::string variable = text.substr(0, end);
    const size_t value_at = std::min(text.find_first_not_of(" \t", end), text.size());
    const std::string value = text.substr(value_at);
    if (variable == "condition") trial.condition = value;
    if (variable == "task") trial.task = value;
    if (!variable.empty() && variable != "condition" && variable != "task")
      trial.extra[variable] = Json(value).dump();
  }

  void take_start(const Words& words) {
    start_ = asc_number(words, 1, "time", where());
    close_open();
    recording_ = false;  // of a recording without END
    if (trials_.empty() || trials_.back().recorded)
      begin_trial(trials_.empty() ? "" : std::string(trials_.back().shared.id));
    recording_ = true;
    AscTrial& trial = trials_.back();
    trial.recorded = true;
    trial.shared.events.ended = false;
    for (const std::string_view word : words) {
      if (word == "LEFT") trial.eyes['L'];
      if (word == "RIGHT") trial.eyes['R'];
    }
  }

  void take_end(const Words& words) {
    const double end = asc_number(words, 1, "time", where());
    if (!recording_)
      throw Error(where() +
                  ": END without a START before it; the file is damaged, convert the EDF "
                  "file again");
    if (end < start_)
      throw Error(where() + ": the recording ends at " + std::string(words[1]) +
                  ", before its start");
    recording_ = false;
    trials_.back().shared.events.ended = true;
  }

  /// "EVENTS GAZE LEFT RATE 1000.00 ...", "PUPIL AREA".
  void take_settings(const Words& words) {
    if (trials_.empty() || words.size() < 2) return;
    std::map<std::string, std::string>& extra = trials_.back().shared.extra;
    if (words[0] == "PUPIL") {
      extra["pupil_unit"] = Json(as_utf8(words[1])).dump();
      return;
    }
    if (words[0] == "EVENTS" && words[1] != "GAZE")
      throw Error(where() + ": expected events in pixels (GAZE), found " +
                  attn::io::quote_text(words[1]) + "; convert the EDF file with gaze positions");
    for (size_t i = 2; i < words.size(); ++i)
      if (words[i] == "RATE")
        extra["rate"] = number_json(asc_number(words, i + 1, "rate", where())).dump();
  }

  std::optional<OpenEvent>& open(AscKind kind, char eye) {
    return open_[static_cast<size_t>(kind)][eye == 'L' ? 0 : 1];
  }

  void demand_trial(std::string_view word) const {
    if (trials_.empty() || !trials_.back().recorded)
      throw Error(where() + ": " + std::string(word) +
                  " stands outside of a recording, with no START before it");
  }

  void take_begin(const AscBegin& begin) {
    demand_trial("an event");
    any_begin_ = true;
    count_unfinished(begin.kind, begin.eye);
    open(begin.kind, begin.eye) = OpenEvent{begin.start, trials_.size() - 1};
  }

  void take_finished(const AscEnd& end, std::string_view word) {
    demand_trial(word);
    std::optional<OpenEvent>& begun = open(end.kind, end.eye);
    const bool matches = begun && begun->start == end.start;
    if (!matches && orphan_.empty())
      orphan_ = where() + ": " + std::string(word) + " " + end.eye + " of the time " +
                attn::io::number_text(end.start) + " has no S" + std::string(word.substr(1)) +
                " before it; the file is damaged, convert the EDF file again";
    trials_[matches ? begun->trial : trials_.size() - 1].eyes[end.eye].add(end);
    if (matches) begun.reset();
  }

  void count_unfinished(AscKind kind, char eye) {
    std::optional<OpenEvent>& begun = open(kind, eye);
    if (begun && kind == AscKind::fixation) ++trials_[begun->trial].eyes[eye].unfinished;
    begun.reset();
  }

  void close_open() {
    for (const AscKind kind : {AscKind::fixation, AscKind::saccade, AscKind::blink})
      for (const char eye : {'L', 'R'}) count_unfinished(kind, eye);
  }

  void finish() {
    close_open();
    // edf2asc may leave all start events out; where it did not, each end has one.
    if (any_begin_ && !orphan_.empty()) throw Error(orphan_);
    bool recorded = false;
    for (const AscTrial& trial : trials_) recorded = recorded || trial.recorded;
    if (!recorded)
      throw Error(name_ +
                  ": expected a recording of EyeLink's ASC, found no line that begins with "
                  "START");
    const Screen screen = known_screen(screen_ ? screen_ : gaze_screen_, options_.screen, name_);
    for (AscTrial& trial : trials_) {
      trial.shared.screen = screen;
      trial.shared.subject =
          subject_.empty() ? std::filesystem::path(name_).stem().string() : subject_;
      if (trial.eyes.empty()) result_.trials.push_back(trial.shared);
      for (auto& [eye, data] : trial.eyes)
        result_.trials.push_back(of_eye(trial.shared, eye, data));
    }
  }

  static Trial of_eye(Trial trial, char eye, EyeTrial& data) {
    trial.eye = std::string(1, eye);
    trial.fixations = std::move(data.fixations);
    trial.starts = std::move(data.starts);
    trial.fields = std::move(data.fields);
    trial.events.saccades = std::move(data.saccades);
    trial.events.blinks = std::move(data.blinks);
    trial.events.unfinished = data.unfinished;
    return trial;
  }

  std::string name_;
  const ReadOptions& options_;
  int64_t row_ = 0;
  std::string subject_;
  std::optional<Screen> screen_, gaze_screen_;
  std::vector<AscTrial> trials_;
  std::vector<Message> early_;  ///< before the first trial
  bool recording_ = false;      ///< between START and END
  double start_ = 0;            ///< of the recording
  bool any_begin_ = false;
  std::string orphan_;  ///< the sentence about the first end without its beginning
  std::array<std::array<std::optional<OpenEvent>, 2>, 3> open_;
  Scanpaths result_;
};

}  // namespace

bool looks_like_asc(std::string_view head) {
  if (head.substr(0, 18) == "** CONVERTED FROM ") return true;
  for (int line = 0; line < 200 && !head.empty(); ++line) {
    const size_t end = std::min(head.find('\n'), head.size());
    const Words words = words_of(head.substr(0, end));
    double time = 0;
    if (words.size() > 1 && (words[0] == "MSG" || words[0] == "START" || words[0] == "INPUT") &&
        attn::io::parse_finite(words[1], time))
      return true;
    head.remove_prefix(std::min(end + 1, head.size()));
  }
  return false;
}

Scanpaths read_asc(attn::io::ByteStream bytes, const ReadOptions& options) {
  const std::string name = bytes.name();
  const std::string text = bytes.rest();
  return AscReader(name, options).read(text);
}

}  // namespace gaze
