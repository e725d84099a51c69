#include "vision/gaze/metric/geometry.h"

#include <utility>
#include <vector>

namespace gaze {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool comparable(Fixations a, Fixations b) {
  return positions_defined(a) && positions_defined(b);
}

/// The corner of W_ij = join(d_ij, min of the W before it).
template <class Join>
double warped(Fixations a, Fixations b, Join join) {
  if (!comparable(a, b)) return kNaN;
  if (a.size() < b.size()) std::swap(a, b);
  std::vector<double> row(b.size() + 1, kInfinity);
  double corner = 0;  // before the first pair
  for (const Fixation& f : a) {
    double diagonal = std::exchange(corner, kInfinity);
    for (size_t j = 0; j < b.size(); ++j) {
      const double above = row[j + 1];
      row[j + 1] = join(distance(f, b[j]), std::min({diagonal, above, row[j]}));
      diagonal = above;
    }
  }
  return finite_or_nan(row.back());
}

/// The distance of each of `from` to the nearest of `to`.
std::vector<double> nearest(Fixations from, Fixations to) {
  std::vector<double> out;
  out.reserve(from.size());
  for (const Fixation& f : from) {
    double least = kInfinity;
    for (const Fixation& t : to) least = std::min(least, distance(f, t));
    out.push_back(least);
  }
  return out;
}

/// Sums of distances over windows that grow by one fixation at a time.
class Windows {
 public:
  Windows(Fixations rows, Fixations columns)
      : rows_(rows), columns_(columns), sum_(rows.size() * columns.size()) {}

  size_t length() const { return length_; }
  size_t longest() const { return std::min(rows_.size(), columns_.size()); }

  void grow() {
    for (size_t i = 0; i + length_ < rows_.size(); ++i)
      for (size_t j = 0; j + length_ < columns_.size(); ++j)
        sum_[i * columns_.size() + j] += distance(rows_[i + length_], columns_[j + length_]);
    ++length_;
  }

  /// TDE of the present length.
  double mean_of_least() const {
    const auto k = static_cast<double>(length_);
    const size_t starts = rows_.size() - length_ + 1;
    double total = 0;
    for (size_t i = 0; i < starts; ++i) {
      const double* row = sum_.data() + i * columns_.size();
      total += *std::min_element(row, row + (columns_.size() - length_ + 1)) / k;
    }
    return total / static_cast<double>(starts);
  }

 private:
  Fixations rows_, columns_;
  std::vector<double> sum_;  // [i][j] over the windows that start at i and j
  size_t length_ = 0;
};

}  // namespace

double dtw(Fixations a, Fixations b) {
  return warped(a, b, [](double d, double before) { return d + before; });
}

double frechet(Fixations a, Fixations b) {
  return warped(a, b, [](double d, double before) { return std::max(d, before); });
}

double hausdorff(Fixations a, Fixations b) {
  if (!comparable(a, b)) return kNaN;
  const std::vector<double> there = nearest(a, b), back = nearest(b, a);
  return finite_or_nan(std::max(*std::max_element(there.begin(), there.end()),
                                *std::max_element(back.begin(), back.end())));
}

double eye_analysis(Fixations a, Fixations b) {
  if (!comparable(a, b)) return kNaN;
  double there = 0, back = 0;
  for (const double d : nearest(a, b)) there += d;
  for (const double d : nearest(b, a)) back += d;
  return finite_or_nan((there + back) / static_cast<double>(std::max(a.size(), b.size())));
}

double time_delay_embedding(Fixations predicted, Fixations human, size_t k) {
  if (!comparable(predicted, human)) return kNaN;
  Windows windows(predicted, human);
  if (k < 1 || k > windows.longest()) return kNaN;
  while (windows.length() < k) windows.grow();
  return finite_or_nan(windows.mean_of_least());
}

double scaled_time_delay_embedding(Fixations predicted, Fixations human, const Screen& screen) {
  check_screen(screen);
  if (!comparable(predicted, human)) return kNaN;
  const double side = std::max(screen.width, screen.height);
  const auto scaled = [&](Fixations path) {
    std::vector<Fixation> out(path.begin(), path.end());
    for (Fixation& f : out) f.x /= side, f.y /= side;
    return out;
  };
  const std::vector<Fixation> one = scaled(predicted), two = scaled(human);
  Windows windows(one, two);
  double sum = 0;
  while (windows.length() < windows.longest()) {
    windows.grow();
    sum += std::exp(-windows.mean_of_least());
  }
  return sum / static_cast<double>(windows.longest());
}

}  // namespace gaze
