#include "vision/gaze/metric/alignment.h"

#include <optional>
#include <queue>

namespace gaze {
namespace {

using Path = std::vector<std::pair<size_t, size_t>>;

double cost(const Saccade& a, const Saccade& b) {
  const double dx = a.dx - b.dx, dy = a.dy - b.dy;
  return std::sqrt(dx * dx + dy * dy);
}

/// (n, m) row-major: the least sum up to each pair. That of the first pair is 0: it is not entered.
std::vector<double> least_sums(const std::vector<Saccade>& a, const std::vector<Saccade>& b) {
  const size_t m = b.size();
  std::vector<double> sum(a.size() * m);
  for (size_t j = 1; j < m; ++j) sum[j] = sum[j - 1] + cost(a[0], b[j]);
  for (size_t i = 1; i < a.size(); ++i) {
    double* row = sum.data() + i * m;
    const double* above = row - m;
    row[0] = above[0] + cost(a[i], b[0]);
    for (size_t j = 1; j < m; ++j)
      row[j] = std::min({above[j - 1], above[j], row[j - 1]}) + cost(a[i], b[j]);
  }
  return sum;
}

/// The path back from the last pair by the smallest of the (at most three) sums before each;
/// nothing where two of them are equal. The weight belongs to the pair entered, so it decides
/// nothing.
std::optional<Path> only_path(const std::vector<double>& sum, size_t n, size_t m) {
  Path path;
  size_t i = n - 1, j = m - 1;
  path.reserve(n + m);
  path.emplace_back(i, j);
  while (i > 0 || j > 0) {
    if (i > 0 && j > 0) {
      const double diagonal = sum[(i - 1) * m + j - 1], up = sum[(i - 1) * m + j],
                   left = sum[i * m + j - 1];
      if (diagonal < up && diagonal < left)
        --i, --j;
      else if (up < diagonal && up < left)
        --i;
      else if (left < diagonal && left < up)
        --j;
      else
        return std::nullopt;
    } else {
      i > 0 ? --i : --j;
    }
    path.emplace_back(i, j);
  }
  return Path(path.rbegin(), path.rend());
}

/// Dijkstra's algorithm on the grid. A pair is reached from the neighbour that leaves the queue
/// first: of equal sums that of the later pair, row by row.
class EqualPaths {
 public:
  EqualPaths(const std::vector<Saccade>& a, const std::vector<Saccade>& b)
      : a_(a),
        b_(b),
        sum_(a.size() * b.size(), std::numeric_limits<double>::infinity()),
        from_(sum_.size()),
        done_(sum_.size()) {}

  Path path() {
    const size_t m = b_.size(), last = sum_.size() - 1;
    reach(0, 0, 0);
    while (!done_[last]) {
      const size_t pair = queue_.top().second;
      queue_.pop();
      if (done_[pair]) continue;  // was reached again, by less
      done_[pair] = true;
      const bool right = pair % m + 1 < m, down = pair + m <= last;
      if (right) enter(pair, pair + 1);
      if (down) enter(pair, pair + m);
      if (right && down) enter(pair, pair + m + 1);
    }
    return back();
  }

 private:
  void enter(size_t from, size_t to) {
    const size_t m = b_.size();
    const double sum = sum_[from] + cost(a_[to / m], b_[to % m]);
    if (sum < sum_[to]) reach(from, to, sum);
  }

  void reach(size_t from, size_t to, double sum) {
    sum_[to] = sum;
    from_[to] = from;
    queue_.emplace(-sum, to);
  }

  Path back() const {
    Path path;
    for (size_t pair = sum_.size() - 1;; pair = from_[pair]) {
      path.emplace_back(pair / b_.size(), pair % b_.size());
      if (pair == 0) return Path(path.rbegin(), path.rend());
    }
  }

  const std::vector<Saccade>&a_, &b_;
  std::vector<double> sum_;
  std::vector<size_t> from_;
  std::vector<bool> done_;
  std::priority_queue<std::pair<double, size_t>> queue_;  // (-sum, pair)
};

}  // namespace

Path align(const std::vector<Saccade>& a, const std::vector<Saccade>& b) {
  const auto path = only_path(least_sums(a, b), a.size(), b.size());
  return path ? *path : EqualPaths(a, b).path();
}

}  // namespace gaze
