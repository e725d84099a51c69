// Opening, creating, closing, and what a file holds.
#include <algorithm>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/hdf5.h"
#include "libattn/io/hdf5_check.h"
#include "libattn/io/hdf5_detail.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace h5 {
namespace {

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

herr_t take_first(unsigned, const H5E_error2_t* error, void* data) {
  auto& reason = *static_cast<std::string*>(data);
  if (reason.empty() && error->desc != nullptr) reason = error->desc;
  return 0;
}

}  // namespace

Lock::Lock() : guard_(library_mutex()) {
  static const bool silenced = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  (void)silenced;
}

std::string last_failure() {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &reason);
  return reason.empty() ? "the HDF5 library gave no reason" : reason;
}

Id half_type() {
  Id type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

H5Kind kind_of(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return H5Kind::real;
    case H5T_INTEGER:
      return H5Kind::integer;
    case H5T_STRING:
      return H5Kind::string;
    case H5T_ENUM: {
      // h5py's bool: an enumeration FALSE = 0, TRUE = 1 over int8.
      int8_t value = -1;
      const Id base(H5Tget_super(type), H5Tclose);
      const bool named = H5Tget_size(base.get()) == 1 && H5Tget_nmembers(type) == 2 &&
                         H5Tenum_valueof(type, "TRUE", &value) >= 0 && value == 1 &&
                         H5Tenum_valueof(type, "FALSE", &value) >= 0 && value == 0;
      return named ? H5Kind::boolean : H5Kind::other;
    }
    default:
      return H5Kind::other;
  }
}

}  // namespace h5

namespace {

constexpr std::string_view kAgain = "; write or copy it again";

Error open_error(const std::filesystem::path& path) {
  const std::string reason = h5::last_failure();
  const std::string name = path.string();
  if (reason.find("truncated file") != std::string::npos)
    return Error(name + ": the HDF5 file is truncated (" +
                 std::to_string(std::filesystem::file_size(path)) +
                 " bytes are there, fewer than were written)" + std::string(kAgain));
  if (reason.find("unable to lock file") != std::string::npos)
    return Error(name +
                 ": another program has locked the HDF5 file; wait until it has finished, or set "
                 "HDF5_USE_FILE_LOCKING=FALSE where the file system's locks do not work");
  return Error(name + ": the HDF5 file is damaged (" + reason + ")" + std::string(kAgain));
}

/// For reading: a shared lock where the file system has locks.
h5::Id read_access() {
  h5::Id properties(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fclose_degree(properties.get(), H5F_CLOSE_STRONG);
  H5Pset_file_locking(properties.get(), true, true);
  return properties;
}

/// For creating: our driver, no lock (the file is private), and the format of HDF5 1.10, whose
/// metadata carry checksums: damage is found instead of followed.
h5::Id write_access(h5::WriteState& state) {
  h5::Id properties(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fclose_degree(properties.get(), H5F_CLOSE_STRONG);
  H5Pset_file_locking(properties.get(), false, true);
  H5Pset_libver_bounds(properties.get(), H5F_LIBVER_V110, H5F_LIBVER_LATEST);
  if (!h5::set_write_driver(properties.get(), &state))
    throw std::logic_error("Hdf5File: the file driver cannot be registered");
  return properties;
}

std::string rooted(const std::string& name) {
  return name.empty() ? "/" : name;
}

}  // namespace

Hdf5File::Hdf5File(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hdf5File::~Hdf5File() = default;
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;
const std::filesystem::path& Hdf5File::path() const {
  return impl_->path;
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
  const FileKind kind = file_kind_of(path);
  const h5::Lock lock;
  // A user block longer than the head that file_kind sees is left to the library.
  if (kind != FileKind::hdf5 && H5Fis_hdf5(path.c_str()) <= 0)
    throw Error(path.string() + ": expected an HDF5 file, found " + std::string(describe(kind)));
  const bool sealed = h5::demand_sound(path);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->sealed = sealed;
  const h5::Id properties = read_access();
  impl->file = h5::Id(H5Fopen(path.c_str(), H5F_ACC_RDONLY, properties.get()), H5Fclose);
  if (!impl->file.valid()) throw open_error(path);
  if (!sealed && h5::ends_in_zeros(path) && H5Aexists(impl->file.get(), h5::kSealedMark) > 0)
    throw Error(path.string() + ": the file is damaged (it ends in zeros where its checksum was)" +
                std::string(kAgain));
  return Hdf5File(std::move(impl));
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->out.emplace(path);
  const h5::Lock lock;
  const h5::Id access = write_access(impl->state);
  const h5::Id creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);  // the same contents give the same bytes
  impl->file =
      h5::Id(H5Fcreate(impl->out->temp_path().c_str(), H5F_ACC_TRUNC, creation.get(), access.get()),
             H5Fclose);
  impl->demand_success(impl->file.valid());
  return Hdf5File(std::move(impl));
}

void Hdf5File::commit() {
  set_attribute("", h5::kSealedMark, int64_t{1});
  const h5::Lock lock;
  impl_->demand_writable();
  impl_->demand_success(H5Fclose(impl_->file.release()) >= 0);
  impl_->out->append(h5::seal_of(impl_->out->temp_path()));
  impl_->out->commit();
}

Hdf5File::Impl::~Impl() {
  const h5::Lock lock;
  state.discard = true;  // what was not committed need not reach the disk
  file.reset();
}

std::string Hdf5File::Impl::where(std::string_view what, const std::string& name) const {
  return path.string() + ": " + std::string(what) + " " + rooted(name);
}

void Hdf5File::Impl::fail_read(std::string_view what, const std::string& name) const {
  throw Error(where(what, name) + " cannot be read, the file is damaged (" + h5::last_failure() +
              ")" + std::string(kAgain));
}

void Hdf5File::Impl::demand_success(bool succeeded) const {
  if (state.error_number != 0) throw system_error("write", path, state.error_number);
  if (!succeeded) throw StorageError("cannot write " + path.string() + ": " + h5::last_failure());
}

void Hdf5File::Impl::demand_writable() const {
  if (!out || !file.valid()) throw std::logic_error("Hdf5File: the file is not open for writing");
  demand_success(true);
}

bool Hdf5File::Impl::link_exists(const std::string& name) const {
  // H5Lexists demands that every part before the last exists.
  for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string part = name.substr(0, end);
    if (!part.empty() && part != "/" && H5Lexists(file.get(), part.c_str(), H5P_DEFAULT) <= 0)
      return false;
    if (end == std::string::npos) break;
  }
  return H5Oexists_by_name(file.get(), rooted(name).c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5File::Impl::children(const std::string& group, H5O_type_t type) const {
  struct Walk {
    H5O_type_t type;
    std::vector<std::string> names;
  } walk{type, {}};
  const auto visit = [](hid_t parent, const char* name, const H5L_info_t* link,
                        void* data) -> herr_t {
    auto& seen = *static_cast<Walk*>(data);
    H5O_info_t info;
    // A soft or external link that leads nowhere is no object; an object that cannot be read is
    // damage.
    if (H5Oget_info_by_name2(parent, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
      return link->type == H5L_TYPE_HARD ? -1 : 0;
    if (info.type == seen.type) seen.names.emplace_back(name);
    return 0;
  };
  const std::string parent = rooted(group);
  if (!link_exists(group)) throw Error(path.string() + ": there is no group " + quote_text(parent));
  const h5::Id id(H5Gopen2(file.get(), parent.c_str(), H5P_DEFAULT), H5Gclose);
  if (!id.valid())
    throw Error(where("group", parent) + " is no group, or is damaged (" + h5::last_failure() +
                ")");
  hsize_t index = 0;
  if (H5Literate(id.get(), H5_INDEX_NAME, H5_ITER_INC, &index, visit, &walk) < 0)
    fail_read("group", parent);
  return std::move(walk.names);
}

std::vector<std::string> Hdf5File::datasets(const std::string& group) const {
  const h5::Lock lock;
  return impl_->children(group, H5O_TYPE_DATASET);
}

std::vector<std::string> Hdf5File::groups(const std::string& group) const {
  const h5::Lock lock;
  return impl_->children(group, H5O_TYPE_GROUP);
}

bool Hdf5File::exists(const std::string& name) const {
  const h5::Lock lock;
  return impl_->link_exists(name);
}

h5::Id Hdf5File::Impl::open_object(const std::string& name) const {
  if (!link_exists(name)) throw Error(path.string() + ": there is no object " + quote_text(name));
  h5::Id id(H5Oopen(file.get(), rooted(name).c_str(), H5P_DEFAULT), H5Oclose);
  if (!id.valid()) fail_read("object", name);
  return id;
}

void Hdf5File::Impl::make_group(const std::string& name) {
  if (link_exists(name)) return;
  make_group(split_name(name).first);
  const h5::Id properties(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties.get(), false);
  const h5::Id group(
      H5Gcreate2(file.get(), name.c_str(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), H5Gclose);
  demand_success(group.valid());
}

void Hdf5File::create_group(const std::string& name) {
  const h5::Lock lock;
  impl_->demand_writable();
  impl_->make_group(name);
}

}  // namespace attn::io
