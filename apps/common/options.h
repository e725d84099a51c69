// One declaration per option: from it come parsing, help, the configuration file, --dump-config and
// run.json.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace attn::app {

/// The variable an option fills. The value it holds when the option is declared is the default; an
/// empty std::optional means "not given". A vector takes one value or more.
using Target = std::variant<bool*, int*, int64_t*, double*, std::string*, std::filesystem::path*,
                            std::optional<int64_t>*, std::optional<double>*,
                            std::optional<std::string>*, std::optional<std::filesystem::path>*,
                            std::vector<std::string>*, std::vector<std::filesystem::path>*>;

/// Where an option's value came from; a later one wins over an earlier one.
enum class Source { defaults, file, environment, flag };

struct Option {
  std::string name;       ///< "mpp" is given as --mpp; a positional argument is named "SLIDES"
  Target target;          ///< outlives the table
  std::string help = {};  ///< one line
  std::string unit = {};  ///< names the value in the help: "um/px", "N", "FILE"
  std::vector<std::string> choices = {};  ///< the only values allowed, when not empty
  std::optional<double> min = {};         ///< smallest number allowed
  std::optional<double> max = {};         ///< largest number allowed
  bool required = false;
  bool positional = false;
  char short_name = 0;   ///< 'v' is given as -v
  bool control = false;  ///< steers this one call (--help, --dry-run): kept out of configuration
                         ///< files and run.json

  // Filled by the table.
  std::string group = {};
  std::string default_text = {};
  Source source = Source::defaults;

  bool is_flag() const { return std::holds_alternative<bool*>(target); }
  bool is_list() const;
  /// A flag that is on by default is switched off by this: "no-NAME".
  bool negatable() const { return is_flag() && default_text == "true"; }
  /// How a person names it: "--mpp" or "SLIDES".
  std::string spelling() const { return positional ? name : "--" + name; }
  /// The environment variable that sets it: ATTN_MPP for --mpp; empty for positional and control
  /// options.
  std::string environment_name() const;
};

/// The options of one verb.
class OptionTable {
 public:
  /// Options added from here on appear under this heading of the help.
  void group(std::string title) { group_ = std::move(title); }
  /// Throws std::logic_error if the name is taken.
  void add(Option option);

  const std::deque<Option>& options() const { return options_; }
  std::deque<Option>& options() { return options_; }
  Option* find(std::string_view name);

 private:
  std::deque<Option> options_;
  std::string group_ = "Options";
};

/// Sets an option from texts. `where` begins the sentence of the UsageError that is thrown when the
/// text is not a value of the option's type, is out of its range, or is none of its choices
/// ("--mpp", "ATTN_MPP", "my.toml: mpp").
void assign(Option& option, const std::vector<std::string>& texts, Source source,
            const std::string& where);

/// Sets every option that has none from a stronger source from its environment variable.
void assign_from_environment(OptionTable& table);

/// Throws a UsageError naming the first required option that no source has set.
void require_all(const OptionTable& table);

/// The current value as text: "0.5", "true", "a b"; empty when not given.
std::string value_text(const Option& option);

/// The resolved values by option name, control options left out. What run.json records as
/// "configuration".
nlohmann::json resolved(const OptionTable& table);

}  // namespace attn::app
