#include "finance/lists/read_lists.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "attn/error.h"
#include "finance/lists/list_columns.h"
#include "finance/lists/row_source.h"
#include "finance/lists/svm_text.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/memory.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "libattn/random/seed.h"

namespace finance {
namespace {

using attn::Error;
using attn::io::quote_text;

/// The first line that is neither blank nor a comment.
std::string_view first_row(std::string_view head) {
  if (head.substr(0, 3) == "\xEF\xBB\xBF") head.remove_prefix(3);
  while (!head.empty()) {
    const size_t end = std::min(head.find('\n'), head.size());
    const std::string_view line = head.substr(0, end);
    if (!svm_row_text(line).empty()) return line;
    head.remove_prefix(std::min(end + 1, head.size()));
  }
  return {};
}

ListFormat format_of(const attn::io::ByteStream& bytes, const ListOptions& options) {
  if (options.format != ListFormat::detect) return options.format;
  if (attn::io::file_kind(bytes.head()) == attn::io::FileKind::parquet) return ListFormat::table;
  const std::string_view line = first_row(bytes.head());
  if (looks_like_svm(line, true)) return ListFormat::svmrank;
  double number = 0;  // a row of LIBSVM whose features are all 0
  const bool label_alone = options.lengths && attn::io::parse_finite(svm_row_text(line), number);
  return label_alone || looks_like_svm(line, false) ? ListFormat::libsvm : ListFormat::table;
}

/// The rows of `all`, each of which is a list of its own, in lists of `size` drawn by `seed`.
RankLists drawn_lists(RankLists all, int64_t size, uint64_t seed) {
  const int64_t rows = all.rows();
  all.offsets.resize(static_cast<size_t>(rows) + 1);
  std::iota(all.offsets.begin(), all.offsets.end(), int64_t{0});
  all.list_ids.assign(static_cast<size_t>(rows), "");
  RankLists drawn =
      selected(all, attn::random::permutation(rows, attn::random::derive_seed(seed, "lists")));
  drawn.offsets.assign(1, 0);
  drawn.list_ids.clear();
  drawn.file_has_ids = false;
  for (int64_t at = 0; at < rows; at += size) {
    drawn.offsets.push_back(std::min(at + size, rows));
    drawn.list_ids.push_back(std::to_string(drawn.offsets.size() - 1));
  }
  return drawn;
}

}  // namespace

ListFormat parse_list_format(std::string_view word) {
  static const std::vector<std::string> kWords = {"auto", "table", "svmrank", "libsvm"};
  const auto found = std::find(kWords.begin(), kWords.end(), word);
  if (found == kWords.end())
    throw attn::UsageError(
        "expected auto, table, svmrank or libsvm as the format of lists, found " +
        quote_text(word) + attn::io::did_you_mean(word, kWords));
  return static_cast<ListFormat>(found - kWords.begin());
}

std::unique_ptr<RowSource> open_rows(const std::filesystem::path& path,
                                     const ListOptions& options) {
  check_options(options);
  attn::io::ByteStream bytes(path);
  const ListFormat format = format_of(bytes, options);
  std::unique_ptr<RowSource> rows =
      format == ListFormat::table
          ? table_rows(std::move(bytes), options)
          : svm_rows(std::move(bytes), options, format == ListFormat::svmrank);
  return options.lengths ? rows_by_lengths(std::move(rows), *options.lengths) : std::move(rows);
}

struct ListReader::Impl {
  std::unique_ptr<RowSource> source;
  std::optional<int64_t> list_size;
  uint64_t seed = 1;
  RankLists held;     ///< of which the last list may go on, until `ended`
  int64_t given = 0;  ///< lists of `held`
  bool ended = false;
  std::unordered_map<std::string, int64_t> begins;  ///< line on which a list begins, by id

  void pull();
  void draw();
  void join(RowPiece piece);
  void demand_memory() const;
  void demand_new_lists(const RowPiece& piece, bool goes_on);
  int64_t whole_lists() const { return held.lists() - (ended || held.lists() == 0 ? 0 : 1); }
  RankLists give(int64_t end);
};

/// Each list that begins in the piece has a time and begins for the first time.
void ListReader::Impl::demand_new_lists(const RowPiece& piece, bool goes_on) {
  const RankLists& rows = piece.rows;
  for (size_t l = goes_on ? 1 : 0; l < rows.list_ids.size(); ++l) {
    const auto where = [&] {
      return source->name() + ": row " + std::to_string(piece.lines[l]) + ": list " +
             quote_text(rows.list_ids[l]);
    };
    const auto [found, fresh] = begins.emplace(rows.list_ids[l], piece.lines[l]);
    if (!fresh)
      throw Error(where() + " (" + source->ids_name() +
                  ") stands there again, its other rows begin in row " +
                  std::to_string(found->second) + "; put the rows of a list together");
    if (!rows.times.empty() && rows.times[l].empty())
      throw Error(where() + ": expected its time, found nothing");
  }
}

/// Rows that are held beyond this machine's memory are refused before it is full.
void ListReader::Impl::demand_memory() const {
  const size_t values = held.features.size() * sizeof(float);
  const size_t others =
      (held.kept.size() + 3) * sizeof(double) + held.categories.size() * sizeof(std::string);
  const size_t bytes = values + others * static_cast<size_t>(held.rows());
  if (bytes > attn::io::physical_memory() / 2)
    throw Error(source->name() + ": its first " + std::to_string(held.rows()) +
                " rows fill half of this machine's memory; name fewer features or read a part");
}

/// The piece behind what is held; its first list may be the last one held, which goes on.
void ListReader::Impl::join(RowPiece piece) {
  const bool first = held.rows() == 0;
  const bool goes_on = !first && held.list_ids.back() == piece.rows.list_ids.front();
  if (!list_size) demand_new_lists(piece, goes_on);
  if (first) {
    held = std::move(piece.rows);
    return;
  }
  const int64_t seam = held.lists();
  append(held, piece.rows);
  demand_memory();
  if (!goes_on) return;
  held.offsets.erase(held.offsets.begin() + seam);
  held.list_ids.erase(held.list_ids.begin() + seam);
  if (!held.times.empty()) held.times.erase(held.times.begin() + seam);
}

void ListReader::Impl::pull() {
  std::optional<RowPiece> piece = source->next();
  if (!piece) {
    if (held.rows() == 0) throw Error(source->name() + ": expected rows, found none");
    ended = true;
    return;
  }
  if (given > 0) {  // what was given is dropped now, once for all the rows that come
    std::vector<int64_t> kept(static_cast<size_t>(held.lists() - given));
    std::iota(kept.begin(), kept.end(), given);
    held = selected(held, kept);
    given = 0;
  }
  join(std::move(*piece));
}

/// All rows of the file, drawn into lists.
void ListReader::Impl::draw() {
  while (!ended) pull();
  held = drawn_lists(std::move(held), *list_size, seed);
  list_size.reset();
}

/// The lists up to `end` that are not given yet.
RankLists ListReader::Impl::give(int64_t end) {
  if (given == 0 && end == held.lists() && ended) {
    RankLists all;
    std::swap(all, held);
    return all;
  }
  std::vector<int64_t> which(static_cast<size_t>(end - given));
  std::iota(which.begin(), which.end(), given);
  given = end;
  return selected(held, which);
}

ListReader::ListReader(const std::filesystem::path& path, const ListOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->source = open_rows(path, options);
  impl_->list_size = options.list_size;
  impl_->seed = options.seed;
}

ListReader::~ListReader() = default;
ListReader::ListReader(ListReader&&) noexcept = default;
ListReader& ListReader::operator=(ListReader&&) noexcept = default;

std::optional<RankLists> ListReader::next(int64_t rows) {
  Impl& s = *impl_;
  if (s.list_size) s.draw();
  const int64_t wanted = std::max<int64_t>(rows, 1);
  const auto ready = [&] {
    const auto offset = [&](int64_t l) { return s.held.offsets[static_cast<size_t>(l)]; };
    return offset(s.whole_lists()) - offset(s.given);
  };
  while (!s.ended && ready() < wanted) s.pull();
  if (ready() == 0) return std::nullopt;
  const auto from = s.held.offsets.begin();
  const int64_t target = s.held.offsets[static_cast<size_t>(s.given)] + std::min(wanted, ready());
  return s.give(std::lower_bound(from, from + s.whole_lists(), target) - from);
}

RankLists read_lists(const std::filesystem::path& path, const ListOptions& options) {
  return *ListReader(path, options).next(std::numeric_limits<int64_t>::max());
}

}  // namespace finance
