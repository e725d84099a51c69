// Attributes of files (the root group), groups and datasets.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/io/hdf5.h"
#include "libattn/io/hdf5_check.h"
#include "libattn/io/hdf5_child.h"
#include "libattn/io/hdf5_detail.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

constexpr std::size_t kMaxText = std::size_t{1} << 30;

/// An open attribute, its type and how many elements it has.
struct Attribute {
  h5::Id object;
  h5::Id id;
  h5::Id type;
  int64_t count = 0;
  std::string where;  // "x.h5: attribute patch_size of coords"
};

std::string on(const std::string& object) {
  return object.empty() || object == "/" ? "the file" : object;
}

herr_t collect_name(hid_t, const char* name, const H5A_info_t*, void* data) {
  static_cast<std::vector<std::string>*>(data)->emplace_back(name);
  return 0;
}

std::vector<std::string> names_of(const h5::Id& object) {
  std::vector<std::string> names;
  hsize_t index = 0;
  if (H5Aiterate2(object.get(), H5_INDEX_NAME, H5_ITER_INC, &index, collect_name, &names) < 0)
    names.clear();
  return names;
}

[[noreturn]] void damaged(const Attribute& attribute) {
  throw Error(attribute.where + " cannot be read, the file is damaged (" + h5::last_failure() +
              "); write or copy it again");
}

Attribute open_attribute(const std::string& path, h5::Id object_id, const std::string& object,
                         const std::string& name) {
  Attribute attribute;
  attribute.object = std::move(object_id);
  attribute.where = path + ": attribute " + name + " of " + on(object);
  if (H5Aexists(attribute.object.get(), name.c_str()) <= 0) {
    const std::vector<std::string> names = names_of(attribute.object);
    throw Error(path + ": " + on(object) + " has no attribute " + quote_text(name, 80) +
                " (found: " + list_names(names) + ")" + did_you_mean(name, names));
  }
  attribute.id = h5::Id(H5Aopen(attribute.object.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute.id.valid()) damaged(attribute);
  attribute.type = h5::Id(H5Aget_type(attribute.id.get()), H5Tclose);
  const h5::Id space(H5Aget_space(attribute.id.get()), H5Sclose);
  attribute.count = space.valid() ? H5Sget_simple_extent_npoints(space.get()) : -1;
  if (!attribute.type.valid() || attribute.count < 0) damaged(attribute);
  return attribute;
}

std::string kind_text(const Attribute& attribute) {
  const std::string shape =
      attribute.count == 1 ? "" : " (" + std::to_string(attribute.count) + " of them)";
  switch (h5::kind_of(attribute.type.get())) {
    case H5Kind::real:
      return "real numbers" + shape;
    case H5Kind::integer:
      return "whole numbers" + shape;
    case H5Kind::boolean:
      return "true or false" + shape;
    case H5Kind::string:
      return "text" + shape;
    case H5Kind::other:
      break;
  }
  return "data of another type" + shape;
}

void demand_one(const Attribute& attribute, std::string_view expected) {
  if (attribute.count != 1)
    throw Error(attribute.where + ": expected " + std::string(expected) + ", found " +
                kind_text(attribute));
}

/// "+" and the text, or nothing when the library fails.
std::string read_variable_text(const Attribute& attribute) {
  char* text = nullptr;
  const h5::Id memory(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(memory.get(), H5T_VARIABLE);
  H5Tset_cset(memory.get(), H5Tget_cset(attribute.type.get()));
  if (H5Aread(attribute.id.get(), memory.get(), &text) < 0) return "";
  std::string copy = std::string("+") + (text != nullptr ? text : "");
  H5free_memory(text);
  return copy;
}

/// Text of variable length lies in a heap whose damage makes HDF5 1.10 read anywhere: that of a
/// file without a checksum is read by a child process.
std::string variable_text(const Attribute& attribute, bool sealed) {
  const auto read = [&] { return read_variable_text(attribute); };
  const std::string text = sealed ? read() : h5::in_child(5, read).value_or("");
  if (text.empty()) damaged(attribute);
  return text.substr(1);
}

std::string read_fixed_text(const Attribute& attribute) {
  const std::size_t size = H5Tget_size(attribute.type.get());
  if (size > kMaxText)
    throw Error(attribute.where + ": text of " + std::to_string(size) +
                " bytes; the file is damaged");
  std::string text(size, '\0');
  if (H5Aread(attribute.id.get(), attribute.type.get(), text.data()) < 0) damaged(attribute);
  text.resize(std::min(text.find('\0'), text.size()));
  if (H5Tget_strpad(attribute.type.get()) == H5T_STR_SPACEPAD)
    text.resize(text.find_last_not_of(' ') + 1);
  return text;
}

std::vector<int64_t> read_integers(const Attribute& attribute) {
  const H5Kind kind = h5::kind_of(attribute.type.get());
  if (kind != H5Kind::integer && kind != H5Kind::boolean)
    throw Error(attribute.where + ": expected whole numbers, found " + kind_text(attribute));
  const auto count = static_cast<std::size_t>(attribute.count);
  std::vector<int64_t> values(count);
  if (count == 0) return values;
  if (kind == H5Kind::boolean) {
    std::vector<int8_t> flags(count);
    if (H5Aread(attribute.id.get(), attribute.type.get(), flags.data()) < 0) damaged(attribute);
    values.assign(flags.begin(), flags.end());
    return values;
  }
  if (H5Tget_sign(attribute.type.get()) != H5T_SGN_NONE) {
    if (H5Aread(attribute.id.get(), H5T_NATIVE_INT64, values.data()) < 0) damaged(attribute);
    return values;
  }
  std::vector<uint64_t> wide(count);
  if (H5Aread(attribute.id.get(), H5T_NATIVE_UINT64, wide.data()) < 0) damaged(attribute);
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::in_range<int64_t>(wide[i]))
      throw Error(attribute.where + ": the value " + std::to_string(wide[i]) + " is out of range");
    values[i] = static_cast<int64_t>(wide[i]);
  }
  return values;
}

std::vector<double> read_reals(const Attribute& attribute) {
  const H5Kind kind = h5::kind_of(attribute.type.get());
  if (kind != H5Kind::real && kind != H5Kind::integer)
    throw Error(attribute.where + ": expected numbers, found " + kind_text(attribute));
  std::vector<double> values(static_cast<std::size_t>(attribute.count));
  if (!values.empty() && H5Aread(attribute.id.get(), H5T_NATIVE_DOUBLE, values.data()) < 0)
    damaged(attribute);
  return values;
}

}  // namespace

bool Hdf5File::has_attribute(const std::string& object, const std::string& attribute) const {
  const h5::Lock lock;
  return H5Aexists(impl_->open_object(object).get(), attribute.c_str()) > 0;
}

std::vector<std::string> Hdf5File::attributes(const std::string& object) const {
  const h5::Lock lock;
  std::vector<std::string> names = names_of(impl_->open_object(object));
  std::erase(names, h5::kSealedMark);
  return names;
}

std::string Hdf5File::string_attribute(const std::string& object,
                                       const std::string& attribute) const {
  const h5::Lock lock;
  const Attribute open =
      open_attribute(impl_->path.string(), impl_->open_object(object), object, attribute);
  demand_one(open, "one text");
  if (h5::kind_of(open.type.get()) != H5Kind::string)
    throw Error(open.where + ": expected text, found " + kind_text(open));
  return H5Tis_variable_str(open.type.get()) > 0 ? variable_text(open, impl_->sealed)
                                                 : read_fixed_text(open);
}

int64_t Hdf5File::int_attribute(const std::string& object, const std::string& attribute) const {
  const h5::Lock lock;
  const Attribute open =
      open_attribute(impl_->path.string(), impl_->open_object(object), object, attribute);
  demand_one(open, "one whole number");
  return read_integers(open).front();
}

double Hdf5File::double_attribute(const std::string& object, const std::string& attribute) const {
  const h5::Lock lock;
  const Attribute open =
      open_attribute(impl_->path.string(), impl_->open_object(object), object, attribute);
  demand_one(open, "one number");
  return read_reals(open).front();
}

std::vector<int64_t> Hdf5File::int_array_attribute(const std::string& object,
                                                   const std::string& attribute) const {
  const h5::Lock lock;
  return read_integers(
      open_attribute(impl_->path.string(), impl_->open_object(object), object, attribute));
}

std::vector<double> Hdf5File::double_array_attribute(const std::string& object,
                                                     const std::string& attribute) const {
  const h5::Lock lock;
  return read_reals(
      open_attribute(impl_->path.string(), impl_->open_object(object), object, attribute));
}

void Hdf5File::Impl::put_attribute(const std::string& object, const std::string& name, hid_t stored,
                                   hid_t memory, hid_t space, const void* values) {
  const h5::Id id = open_object(object);
  if (H5Aexists(id.get(), name.c_str()) > 0) demand_success(H5Adelete(id.get(), name.c_str()) >= 0);
  const h5::Id attribute(
      H5Acreate2(id.get(), name.c_str(), stored, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  demand_success(attribute.valid());
  demand_success(H5Awrite(attribute.get(), memory, values) >= 0);
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute,
                             std::string_view value) {
  const h5::Lock lock;
  impl_->demand_writable();
  if (value.find('\0') != std::string_view::npos)
    throw std::logic_error("Hdf5File::set_attribute: the text of " + attribute +
                           " holds a NUL byte");
  const h5::Id type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const h5::Id space(H5Screate(H5S_SCALAR), H5Sclose);
  const std::string text(value);
  const char* pointer = text.c_str();
  impl_->put_attribute(object, attribute, type.get(), type.get(), space.get(), &pointer);
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute,
                             int64_t value) {
  const h5::Lock lock;
  impl_->demand_writable();
  const h5::Id space(H5Screate(H5S_SCALAR), H5Sclose);
  impl_->put_attribute(object, attribute, H5T_STD_I64LE, H5T_NATIVE_INT64, space.get(), &value);
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute,
                             double value) {
  const h5::Lock lock;
  impl_->demand_writable();
  const h5::Id space(H5Screate(H5S_SCALAR), H5Sclose);
  impl_->put_attribute(object, attribute, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, space.get(), &value);
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute,
                             std::span<const int64_t> values) {
  const h5::Lock lock;
  impl_->demand_writable();
  const hsize_t count = values.size();
  const h5::Id space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  impl_->put_attribute(object, attribute, H5T_STD_I64LE, H5T_NATIVE_INT64, space.get(),
                       values.data());
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute,
                             std::span<const double> values) {
  const h5::Lock lock;
  impl_->demand_writable();
  const hsize_t count = values.size();
  const h5::Id space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  impl_->put_attribute(object, attribute, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, space.get(),
                       values.data());
}

}  // namespace attn::io
