// A thin face on the HDF5 C library: whole files, typed datasets, attributes, one sentence per
// failure.
//
// The HDF5 library is not safe for threads: every call below holds one mutex of the process. It
// also prints its errors by itself; the first call turns that off for the process.
//
// Locking: files are opened read-only with a shared lock, so readers never disturb one another;
// file systems that know no locks are read without. On network file systems where locks fail or
// hang, set HDF5_USE_FILE_LOCKING=FALSE. Written files are private temporary files until commit()
// and take no lock.
//
// Damage: HDF5 1.10 crashes or loops on many a damaged file. Files written here end with a checksum
// of their bytes, which open() verifies (one pass at the speed of the disk); other programs do not
// notice it. Of other programs' files the structure is walked in a child process first; zeroed or
// changed data in them cannot be noticed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace attn::io {

enum class H5Kind { real, integer, boolean, string, other };

struct H5Dataset {
  H5Kind kind = H5Kind::other;
  std::size_t element_bytes = 0;  ///< in the file
  bool is_signed = true;          ///< of integers
  std::vector<int64_t> shape;     ///< empty for a scalar
  /// "float32 (50, 48)", for messages and `info`.
  std::string describe() const;
};

struct H5WriteOptions {
  /// Rows (first dimension) per chunk; 0: contiguous, or 256 KiB a chunk where gzip or unlimited
  /// asks for chunks.
  int64_t chunk_rows = 0;
  int gzip = 0;          ///< level 1..9, 0: none
  bool shuffle = false;  ///< byte shuffle before gzip
  bool unlimited =
      false;  ///< first dimension can grow (h5py: maxshape=(None, ...)); append_rows() needs it
  bool float16 = false;  ///< floats are stored as IEEE half precision
};

/// T below is float, double, int64_t, int32_t or uint8_t (uint8_t also reads booleans). Names are
/// paths inside the file ("features", "state/weight"); "" or "/" is the root group. Integers read
/// as reals; reals never read as integers, and integers that T cannot hold are an Error, as are
/// missing names, wrong ranks, datasets whose data were never written, and arrays larger than the
/// machine's memory.
class Hdf5File {
 public:
  /// Opens for reading. Throws Error: missing, not an HDF5 file (says what it is instead),
  /// truncated, damaged (a checksum that fails).
  static Hdf5File open(const std::filesystem::path& path);
  /// Creates a file through an AtomicFile; nothing appears at `path` before commit().
  static Hdf5File create(const std::filesystem::path& path);
  ~Hdf5File();
  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;

  const std::filesystem::path& path() const;
  /// Flushes, closes and puts the created file in place. Throws Error on a full disk and the like.
  void commit();

  /// Names directly inside a group, sorted.
  std::vector<std::string> datasets(const std::string& group = "/") const;
  std::vector<std::string> groups(const std::string& group = "/") const;
  bool exists(const std::string& name) const;
  H5Dataset dataset(const std::string& name) const;

  /// The whole dataset, row-major. `rank` >= 0 demands that many dimensions.
  template <typename T>
  std::vector<T> read(const std::string& name, int rank = -1) const;
  /// Rows first..first+count of the first dimension.
  template <typename T>
  std::vector<T> read_rows(const std::string& name, int64_t first, int64_t count) const;

  /// Creates a dataset (and the groups on its way) and writes it. values.size() must be the product
  /// of `shape`.
  template <typename T>
  void write(const std::string& name, std::span<const T> values, const std::vector<int64_t>& shape,
             const H5WriteOptions& options = {});
  template <typename T>
  void write(const std::string& name, const std::vector<T>& values,
             const std::vector<int64_t>& shape, const H5WriteOptions& options = {}) {
    write(name, std::span<const T>(values), shape, options);
  }
  /// Appends whole rows to a dataset written with `unlimited`.
  template <typename T>
  void append_rows(const std::string& name, std::span<const T> values);
  template <typename T>
  void append_rows(const std::string& name, const std::vector<T>& values) {
    append_rows(name, std::span<const T>(values));
  }
  void create_group(const std::string& name);

  // Attributes of the object (group or dataset) named `object`.
  bool has_attribute(const std::string& object, const std::string& attribute) const;
  std::vector<std::string> attributes(const std::string& object) const;  ///< names, sorted
  /// Scalar string (or array of one), of variable or fixed length; NUL and blank padding removed.
  std::string string_attribute(const std::string& object, const std::string& attribute) const;
  int64_t int_attribute(const std::string& object, const std::string& attribute) const;
  double double_attribute(const std::string& object, const std::string& attribute) const;
  /// One-dimensional arrays; a scalar reads as an array of one.
  std::vector<int64_t> int_array_attribute(const std::string& object,
                                           const std::string& attribute) const;
  std::vector<double> double_array_attribute(const std::string& object,
                                             const std::string& attribute) const;

  // Written as h5py writes them: variable-length UTF-8, int64 and float64, little-endian. Existing
  // ones are replaced.
  void set_attribute(const std::string& object, const std::string& attribute,
                     std::string_view value);
  void set_attribute(const std::string& object, const std::string& attribute, const char* value) {
    set_attribute(object, attribute, std::string_view(value));
  }
  void set_attribute(const std::string& object, const std::string& attribute, int64_t value);
  void set_attribute(const std::string& object, const std::string& attribute, int value) {
    set_attribute(object, attribute, static_cast<int64_t>(value));
  }
  void set_attribute(const std::string& object, const std::string& attribute, double value);
  void set_attribute(const std::string& object, const std::string& attribute,
                     std::span<const int64_t> values);
  void set_attribute(const std::string& object, const std::string& attribute,
                     std::span<const double> values);

 private:
  struct Impl;
  explicit Hdf5File(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The first row of a row-major array with `columns` columns that holds a NaN or an infinity, or
/// -1.
int64_t first_nonfinite_row(std::span<const float> values, int64_t columns);
int64_t first_nonfinite_row(std::span<const double> values, int64_t columns);

}  // namespace attn::io
