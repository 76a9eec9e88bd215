#include "storage/leveldb_store.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>
#include <unistd.h>

#include "base/assert.h"
#include "storage/leveldb_log.h"
#include "storage/leveldb_pace.h"

#if defined(__SANITIZE_THREAD__)
// The library is not built with the sanitizer, which cannot see the order that its atomics make.
extern "C" const char* __tsan_default_suppressions() {
  return "race:libleveldb.so\n";
}
#endif

namespace parallax {
namespace {

namespace fs = std::filesystem;

leveldb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const leveldb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

/// Errors are one line whatever the text from below holds.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

Error directory_error(ErrorCode code, const fs::path& directory, const std::string& what) {
  return definite(code, one_line(fmt::format("data directory {}: {}", directory.string(), what)));
}

std::string errno_text(int number) {
  return std::strerror(number);
}  // NOLINT(concurrency-mt-unsafe)

/// Makes the entries of `directory` durable: a file that is synced can still be lost by its name.
int sync_directory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int failed = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return failed;
}

// --- The environment: what LevelDB's own lacks, and faults ---------------------------------------

class TrackedFile;

/// What the files of one store share.
struct Disk {
  Disk(const fs::path& directory, const LevelDbOptions& options)
      : faults(options.faults), spare(directory.string(), options.write_buffer_bytes) {}

  leveldb::Status check_append(const std::string& path) const {
    if (powerless.load()) return leveldb::Status::IOError(path, "no power");
    if (faults && faults->disk_full.load())
      return leveldb::Status::IOError(path, errno_text(ENOSPC));
    return leveldb::Status::OK();
  }
  leveldb::Status check_sync(const std::string& path) const {
    if (powerless.load()) return leveldb::Status::IOError(path, "no power");
    if (faults && faults->sync_fails.load()) return leveldb::Status::IOError(path, errno_text(EIO));
    return leveldb::Status::OK();
  }

  /// About how much of the write buffer is full: what is in it is in the log.
  double filled() const {
    return static_cast<double>(log_bytes.load()) / static_cast<double>(spare.bytes());
  }

  const std::shared_ptr<const DiskFaults> faults;
  SpareLog spare;
  std::atomic<std::uint64_t> log_bytes{0};  // in the log that is written to
  std::atomic<bool> paced{false};           // while the store is open
  std::atomic<bool> powerless{false};
  std::mutex mutex;
  std::set<TrackedFile*> open_files;  // under mutex
};

/// A file that knows how much of it is synced, and fails when the disk is told to.
class TrackedFile : public leveldb::WritableFile {
 public:
  /// `prepared`: bytes that are in the file already, as zeros.
  TrackedFile(std::unique_ptr<leveldb::WritableFile> target, std::string path,
              std::uint64_t prepared, Disk& disk)
      : target_(std::move(target)),
        path_(std::move(path)),
        is_log_(path_.ends_with(".log")),
        pace_(path_.ends_with(".ldb") ? std::make_unique<TablePace>(path_) : nullptr),
        prepared_(prepared),
        disk_(disk) {
    const std::scoped_lock lock(disk_.mutex);
    disk_.open_files.insert(this);
  }
  ~TrackedFile() override {
    {
      const std::scoped_lock lock(disk_.mutex);
      disk_.open_files.erase(this);
    }
    target_.reset();
    resize();
  }

  leveldb::Status Append(const leveldb::Slice& data) override {
    std::uint64_t written = 0;
    {
      const std::scoped_lock lock(mutex_);
      leveldb::Status status = disk_.check_append(path_);
      if (status.ok()) status = target_->Append(data);
      if (!status.ok()) return status;
      written = written_ += data.size();
    }
    if (is_log_) {
      disk_.log_bytes.store(written);
      // The next log is made while there is time, and only for a store that fills them.
      if (written > disk_.spare.bytes() / 4) disk_.spare.prepare();
    }
    if (pace_ && disk_.paced.load()) pace_->appended(written, disk_.filled());
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override {
    const std::scoped_lock lock(mutex_);
    leveldb::Status status = target_->Close();
    resize();
    return status;
  }
  /// LevelDB asks for it after each block of a table, which nobody reads before it is closed: its
  /// Sync and Close write what has been gathered.
  leveldb::Status Flush() override { return pace_ ? disk_.check_append(path_) : flush_target(); }
  leveldb::Status Sync() override {
    if (disk_.faults) {
      if (const auto delay = disk_.faults->fsync_delay_ms.load(); delay > 0) {
        // Written and not synced meanwhile: here a power failure has something to take.
        leveldb::Status status = flush_target();
        if (!status.ok()) return status;
        std::this_thread::sleep_for(std::chrono::milliseconds(delay));
      }
    }
    const std::scoped_lock lock(mutex_);
    leveldb::Status status = disk_.check_sync(path_);
    if (status.ok()) status = target_->Sync();
    if (status.ok()) synced_ = written_;
    return status;
  }

  /// After Disk::powerless is set: leaves on the disk what was synced and `tail`.
  void cut(UnsyncedTail tail) {
    const std::scoped_lock lock(mutex_);
    if (tail == UnsyncedTail::keep) return;
    std::error_code failed;
    const std::uint64_t present = prepared_ > 0 ? written_ : fs::file_size(path_, failed);
    if (failed) return;
    const std::uint64_t unsynced = present - std::min(present, synced_);
    cut_to_ = present - (tail == UnsyncedTail::drop ? unsynced : (unsynced + 1) / 2);
    // In place a disk writes whole sectors.
    if (prepared_ > 0) cut_to_ = std::max(*cut_to_ / kSector * kSector, present - unsynced);
    resize();
  }

 private:
  leveldb::Status flush_target() {
    const std::scoped_lock lock(mutex_);
    leveldb::Status status = disk_.check_append(path_);
    return status.ok() ? target_->Flush() : status;
  }
  /// Again after the target was closed, for that writes what is in its buffer.
  void resize() {
    if (!cut_to_) return;
    std::error_code failed;
    fs::resize_file(path_, *cut_to_, failed);
    // What was not written is zeros there.
    if (!failed && *cut_to_ < prepared_) fs::resize_file(path_, prepared_, failed);
    PARALLAX_ASSERT(!failed || failed == std::errc::no_such_file_or_directory,
                    "{} cannot be cut to {} bytes", path_, *cut_to_);
  }

  std::unique_ptr<leveldb::WritableFile> target_;
  const std::string path_;
  const bool is_log_;
  const std::unique_ptr<TablePace> pace_;  // of a table
  const std::uint64_t prepared_;
  std::uint64_t written_ = 0;  // appended, some of it perhaps still in the target's buffer
  std::uint64_t synced_ = 0;
  std::optional<std::uint64_t> cut_to_;
  std::mutex mutex_;
  Disk& disk_;
};

class StoreEnv : public leveldb::EnvWrapper {
 public:
  StoreEnv(const fs::path& directory, const LevelDbOptions& options)
      : EnvWrapper(leveldb::Env::Default()), disk_(directory, options) {}

  leveldb::Status NewWritableFile(const std::string& path,
                                  leveldb::WritableFile** result) override {
    *result = nullptr;
    leveldb::Status status = disk_.check_append(path);
    if (!status.ok()) return status;
    const bool is_log = path.ends_with(".log");
    std::unique_ptr<leveldb::WritableFile> file = is_log ? disk_.spare.take(path) : nullptr;
    const std::uint64_t prepared = file ? disk_.spare.bytes() : 0;
    if (!file) {
      leveldb::WritableFile* made = nullptr;
      status = target()->NewWritableFile(path, &made);
      if (!status.ok()) return status;
      file.reset(made);
    }
    auto tracked = std::make_unique<TrackedFile>(std::move(file), path, prepared, disk_);
    // LevelDB syncs the directory with its manifest only, and writes to a new log before that.
    if (is_log) {
      if (const int failed = sync_directory(fs::path(path).parent_path().string()); failed != 0) {
        return leveldb::Status::IOError(path, errno_text(failed));
      }
    }
    *result = tracked.release();
    return status;
  }
  leveldb::Status NewAppendableFile(const std::string& path,
                                    leveldb::WritableFile** result) override {
    *result = nullptr;
    return leveldb::Status::NotSupported(path, "logs are not reused");
  }
  leveldb::Status RemoveFile(const std::string& path) override {
    if (disk_.powerless.load()) return leveldb::Status::IOError(path, "no power");
    return target()->RemoveFile(path);
  }
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override {
    if (disk_.powerless.load()) return leveldb::Status::IOError(from, "no power");
    return target()->RenameFile(from, to);
  }
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override {
    leveldb::Status status = target()->LockFile(path, lock);
    lock_refused_ = !status.ok();
    return status;
  }
  bool lock_refused() const { return lock_refused_; }

  void set_paced(bool on) { disk_.paced.store(on); }
  void lose_power(UnsyncedTail tail) {
    disk_.powerless.store(true);
    const std::scoped_lock lock(disk_.mutex);
    for (TrackedFile* file : disk_.open_files) file->cut(tail);
  }

 private:
  Disk disk_;
  bool lock_refused_ = false;  // only in DB::Open
};

// --- Opening -------------------------------------------------------------------------------------

/// Creates `directory` and looks whether LevelDB can be let loose on it.
Result<void> prepare(const fs::path& directory) {
  std::error_code failed;
  const fs::file_status found = fs::status(directory, failed);
  if (fs::exists(found) && !fs::is_directory(found)) {
    return directory_error(ErrorCode::refused, directory, "not a directory");
  }
  if (!fs::exists(found)) {
    fs::create_directories(directory, failed);
    if (failed) {
      const bool full = failed == std::errc::no_space_on_device;
      return directory_error(full ? ErrorCode::io : ErrorCode::refused, directory,
                             "cannot be created: " + failed.message());
    }
    const fs::path parent = fs::absolute(directory / "..").lexically_normal();
    if (const int number = sync_directory(parent.string()); number != 0) {
      return directory_error(ErrorCode::io, directory,
                             "its parent cannot be synced: " + errno_text(number));
    }
  }
  if (::faccessat(AT_FDCWD, directory.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return directory_error(ErrorCode::refused, directory,
                           "cannot be read and written: " + errno_text(errno));
  }
  // Without CURRENT LevelDB would begin anew and delete what is there.
  if (fs::exists(directory / "CURRENT", failed)) return {};
  for (auto it = fs::directory_iterator(directory, failed);
       !failed && it != fs::directory_iterator(); it.increment(failed)) {
    const std::string extension = it->path().extension().string();
    if (extension == ".ldb" || extension == ".sst" || extension == ".log") {
      return directory_error(
          ErrorCode::corrupt, directory,
          fmt::format("CURRENT is missing beside {}", it->path().filename().string()));
    }
  }
  if (failed) return directory_error(ErrorCode::io, directory, failed.message());
  return {};
}

Result<std::string> read_file(const fs::path& directory, const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (in.bad() || !in.is_open()) {
    return directory_error(ErrorCode::io, directory,
                           fmt::format("{} cannot be read", path.filename().string()));
  }
  return bytes;
}

/// Cuts off what is behind the records of each log (leveldb_log.h). Under the store's lock. Only
/// the last log that has anything may end in the middle of a record: before it was begun, the one
/// before was synced.
Result<void> cut_logs(const fs::path& directory) {
  std::set<fs::path> logs;  // numbers have leading zeros
  std::error_code failed;
  fs::remove(directory / SpareLog::kName, failed);
  for (auto it = fs::directory_iterator(directory, failed);
       !failed && it != fs::directory_iterator(); it.increment(failed)) {
    if (it->path().extension() == ".log") logs.insert(it->path());
  }
  fs::path torn;
  for (const fs::path& path : logs) {
    PARALLAX_ASSIGN(const std::string log, read_file(directory, path));
    const LogEnd end = find_log_end(log);
    const std::string name = (torn.empty() ? path : torn).filename().string();
    if (end.kind == LogEnd::Kind::damaged || (!torn.empty() && end.records > 0)) {
      return directory_error(ErrorCode::corrupt, directory,
                             fmt::format("{} is damaged at byte {}", name, end.fault));
    }
    if (end.kind == LogEnd::Kind::torn) torn = path;
    if (end.records < log.size()) fs::resize_file(path, end.records, failed);
    if (failed) return directory_error(ErrorCode::io, directory, failed.message());
  }
  return {};
}

Error open_error(const fs::path& directory, const leveldb::Status& status, bool lock_refused) {
  const std::string text = status.ToString();
  if (lock_refused && text.find(errno_text(EACCES)) == std::string::npos) {
    return directory_error(ErrorCode::refused, directory, "in use by another process");
  }
  if (status.IsIOError()) {
    const bool permission = text.find(errno_text(EACCES)) != std::string::npos ||
                            text.find(errno_text(EROFS)) != std::string::npos;
    return directory_error(permission ? ErrorCode::refused : ErrorCode::io, directory, text);
  }
  // What is no I/O error is something in the files that LevelDB cannot make sense of.
  return directory_error(ErrorCode::corrupt, directory, text);
}

/// `what` failed.
Error access_error(const fs::path& directory, std::string_view what,
                   const leveldb::Status& status) {
  return directory_error(status.IsCorruption() ? ErrorCode::corrupt : ErrorCode::io, directory,
                         fmt::format("{} failed: {}", what, status.ToString()));
}

}  // namespace

// --- The store -----------------------------------------------------------------------------------

struct LevelDbStore::Impl {
  explicit Impl(fs::path path, const LevelDbOptions& options)
      : directory(std::move(path)),
        env(directory, options),
        cache(leveldb::NewLRUCache(options.block_cache_bytes)),
        filter(leveldb::NewBloomFilterPolicy(10)) {}
  /// Nobody waits any more but whoever closes it.
  ~Impl() { env.set_paced(false); }

  leveldb::ReadOptions read_options(const leveldb::Snapshot* snapshot) const {
    leveldb::ReadOptions read;
    read.verify_checksums = true;
    read.fill_cache = snapshot == nullptr;
    read.snapshot = snapshot;
    return read;
  }
  Result<std::optional<std::string>> get(std::string_view key,
                                         const leveldb::Snapshot* snapshot) const;
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit,
                    const leveldb::Snapshot* snapshot) const;

  const fs::path directory;
  StoreEnv env;
  const std::unique_ptr<leveldb::Cache> cache;
  const std::unique_ptr<const leveldb::FilterPolicy> filter;
  std::unique_ptr<leveldb::DB> db;  // last: uses all of the above until it is gone
  leveldb::WriteBatch batch;        // the writer's, for its room
  std::optional<Error> failed;      // the writer's
};

Result<std::optional<std::string>> LevelDbStore::Impl::get(
    std::string_view key, const leveldb::Snapshot* snapshot) const {
  std::optional<std::string> value(std::in_place);
  const leveldb::Status status = db->Get(read_options(snapshot), slice(key), &*value);
  if (status.ok()) return value;
  if (status.IsNotFound()) return std::optional<std::string>{};
  return access_error(directory, "read", status);
}

Result<void> LevelDbStore::Impl::scan(const ScanRange& range, const ScanVisitor& visit,
                                      const leveldb::Snapshot* snapshot) const {
  if (!range.end.empty() && range.end <= range.start) return {};
  const std::unique_ptr<leveldb::Iterator> it(db->NewIterator(read_options(snapshot)));
  if (!range.reverse) {
    for (it->Seek(slice(range.start)); it->Valid(); it->Next()) {
      if (!range.end.empty() && view(it->key()) >= range.end) break;
      if (!visit(view(it->key()), view(it->value()))) break;
    }
  } else {
    it->SeekToLast();
    if (!range.end.empty()) {
      it->Seek(slice(range.end));
      if (it->Valid()) {
        it->Prev();
      } else if (it->status().ok()) {
        it->SeekToLast();
      }
    }
    for (; it->Valid() && view(it->key()) >= range.start; it->Prev()) {
      if (!visit(view(it->key()), view(it->value()))) break;
    }
  }
  // Asked even when the visitor stopped: a block that cannot be read is skipped on the way.
  if (!it->status().ok()) return access_error(directory, "read", it->status());
  return {};
}

class LevelDbStore::Snapshot : public ReadView {
 public:
  explicit Snapshot(const Impl& impl) : impl_(impl), at_(impl.db->GetSnapshot()) {}
  ~Snapshot() override { impl_.db->ReleaseSnapshot(at_); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  Result<std::optional<std::string>> get(std::string_view key) const override {
    return impl_.get(key, at_);
  }
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override {
    return impl_.scan(range, visit, at_);
  }

 private:
  const Impl& impl_;
  const leveldb::Snapshot* const at_;
};

LevelDbStore::LevelDbStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LevelDbStore::~LevelDbStore() = default;

Result<std::unique_ptr<LevelDbStore>> LevelDbStore::open(const fs::path& directory,
                                                         LevelDbOptions options) {
  PARALLAX_TRY(prepare(directory));
  auto impl = std::make_unique<Impl>(directory, options);
  leveldb::Options settings;
  settings.create_if_missing = true;
  settings.paranoid_checks = true;
  settings.env = &impl->env;
  settings.block_cache = impl->cache.get();
  settings.filter_policy = impl->filter.get();
  settings.write_buffer_size = options.write_buffer_bytes;
  settings.max_open_files = options.max_open_files;
  settings.compression = options.compress ? leveldb::kSnappyCompression : leveldb::kNoCompression;
  leveldb::FileLock* lock = nullptr;
  leveldb::Status status = impl->env.LockFile((directory / "LOCK").string(), &lock);
  if (!status.ok()) return open_error(directory, status, impl->env.lock_refused());
  const Result<void> cut = cut_logs(directory);
  impl->env.UnlockFile(lock);
  if (!cut) return cut.error();
  leveldb::DB* db = nullptr;
  status = leveldb::DB::Open(settings, directory.string(), &db);
  impl->db.reset(db);
  if (!status.ok()) return open_error(directory, status, impl->env.lock_refused());
  impl->env.set_paced(true);
  return std::unique_ptr<LevelDbStore>(new LevelDbStore(std::move(impl)));
}

Result<std::optional<std::string>> LevelDbStore::get(std::string_view key) const {
  return impl_->get(key, nullptr);
}

Result<void> LevelDbStore::scan(const ScanRange& range, const ScanVisitor& visit) const {
  return impl_->scan(range, visit, nullptr);
}

Result<void> LevelDbStore::write(const WriteBatch& batch) {
  if (impl_->failed) return *impl_->failed;
  impl_->batch.Clear();
  for (const WriteBatch::Change& change : batch.changes()) {
    if (change.value) {
      impl_->batch.Put(slice(change.key), slice(change.value->view()));
    } else {
      impl_->batch.Delete(slice(change.key));
    }
  }
  leveldb::WriteOptions synced;
  synced.sync = true;
  const leveldb::Status status = impl_->db->Write(synced, &impl_->batch);
  if (status.ok()) return {};
  // Damage is found by writes, too: they wait for tables to be merged.
  Error error = access_error(impl_->directory, "write", status);
  error.certainty = Certainty::indefinite;
  impl_->failed = std::move(error);
  return *impl_->failed;
}

std::unique_ptr<ReadView> LevelDbStore::snapshot() const {
  return std::make_unique<Snapshot>(*impl_);
}

std::uint64_t LevelDbStore::approximate_bytes() const {
  std::uint64_t sum = 0;
  std::error_code failed;
  for (auto it = fs::directory_iterator(impl_->directory, failed);
       !failed && it != fs::directory_iterator(); it.increment(failed)) {
    std::error_code gone;  // a compaction may have deleted it
    const std::uint64_t size = fs::file_size(it->path(), gone);
    if (!gone) sum += size;
  }
  return sum;
}

void LevelDbStore::lose_power(UnsyncedTail tail) {
  impl_->env.lose_power(tail);
}

}  // namespace parallax
