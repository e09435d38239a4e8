// main() of a fuzz target where there is no libFuzzer: the corpus, then
// mutations of it from a seed, with libFuzzer's flags:
//
//   -max_total_time=2  seconds of processor time for the mutations; 0: none
//   -runs=N            so many mutations, however long they take
//   -seed=1            the same seed: the same mutations in the same order
//   -max_len=4096      no mutation is longer, unless its seed was
//   -timeout=120       an input that takes longer (by the wall) has hung
//   -dict=FILE         words to insert, "text" a line
//   -artifact_prefix=P where the input that failed is kept: P<seed>-<run>
//   FILE | DIRECTORY   the corpus; a file alone is how a failure is repeated
//
// One thread.  How to write a target: fuzz_target.h.

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/fuzz_target.h"

// Of the sanitizers, which end the process without a signal.
extern "C" void __sanitizer_set_death_callback(void (*)())
    __attribute__((weak));

namespace narthex::test {
namespace {

struct Flags {
  double max_total_time = 2;
  long runs = -1;
  unsigned long seed = 1;
  size_t max_len = 4096;
  unsigned timeout = 120;
  std::string dict = {};
  std::string artifact_prefix = "crash-";
  std::vector<std::string> paths = {};
};

double ProcessorSeconds() {
  timespec t = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// --- What is kept of a failure.  A signal handler reads it: plain data only.

const char* current_data = nullptr;
size_t current_size = 0;
char artifact_name[1024] = "";
char last_words[1280] = "";

void KeepInput() {
  static bool done = false;
  if (done || current_data == nullptr) return;
  done = true;
  ssize_t ignored = write(2, last_words, std::string_view(last_words).size());
  const int file = open(artifact_name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0) ignored = write(file, current_data, current_size);
  static_cast<void>(ignored);
}

void OnSignal(int signal_number) {
  if (signal_number == SIGALRM) {
    constexpr std::string_view kText = "fuzz: this input takes too long\n";
    static_cast<void>(!write(2, kText.data(), kText.size()));
  }
  KeepInput();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void Run(const Flags& flags, const std::string& input, const std::string& name,
         const std::string& origin) {
  // A copy of exactly this size, so that a byte past the end is found.
  std::vector<uint8_t> bytes(input.begin(), input.end());
  current_data = input.data();
  current_size = input.size();
  std::snprintf(artifact_name, sizeof artifact_name, "%s%s",
                flags.artifact_prefix.c_str(), name.c_str());
  std::snprintf(last_words, sizeof last_words,
                "fuzz: failed on %s (%zu bytes); kept as %s\n", origin.c_str(),
                input.size(), artifact_name);
  alarm(flags.timeout);
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  alarm(0);
  current_data = nullptr;
}

// --- Mutations.

class Mutator {
 public:
  Mutator(unsigned long seed, size_t max_len,
          const std::vector<std::string>& corpus,
          const std::vector<std::string>& words)
      : random_(seed), max_len_(max_len), corpus_(corpus), words_(words) {}

  std::string Next() {
    std::string text =
        corpus_.empty() || Below(64) == 0 ? "" : corpus_[Below(corpus_.size())];
    const size_t most = std::max(max_len_, text.size());
    for (size_t edits = 1 + Below(5); edits > 0; --edits) Edit(text);
    if (text.size() > most) text.resize(most);
    return text;
  }

 private:
  size_t Below(size_t n) { return random_() % n; }
  char Byte() { return static_cast<char>(Below(256)); }
  // Short pieces, mostly.
  size_t Length(size_t most) {
    if (most == 0) return 0;
    return 1 + Below(std::min(most, size_t{1} << Below(8)));
  }
  std::string PieceOf(const std::string& text) {
    if (text.empty()) return text;
    const size_t at = Below(text.size());
    return text.substr(at, Length(text.size() - at));
  }

  void Edit(std::string& text) {
    const size_t at = Below(text.size() + 1);
    const size_t length = Length(text.size() - at);
    switch (Below(11)) {
      case 0:
        if (at < text.size()) text[at] ^= static_cast<char>(1 << Below(8));
        return;
      case 1:
        if (at < text.size()) text[at] = Byte();
        return;
      case 2:
        text.erase(at, length);
        return;
      case 3:
        for (size_t n = Length(8); n > 0; --n) text.insert(at, 1, Byte());
        return;
      case 4:
        text.insert(at, PieceOf(text));
        return;
      case 5:
        if (!corpus_.empty()) {
          text.replace(at, length, PieceOf(corpus_[Below(corpus_.size())]));
        }
        return;
      case 6:
      case 7:
        if (!words_.empty()) {
          text.replace(at, Below(2) == 0 ? 0 : length,
                       words_[Below(words_.size())]);
        }
        return;
      case 8:
        Number(text, at);
        return;
      case 9:
        if (Below(8) == 0) text.resize(at);
        return;
      default: {
        // The same again and again: nesting, long lists, long names.
        if (Below(4) != 0) return;
        const std::string piece = !words_.empty() && Below(2) == 0
                                      ? words_[Below(words_.size())]
                                      : text.substr(at, length);
        std::string run;
        for (size_t n = size_t{1} << Below(10); n > 0; --n) run += piece;
        text.insert(at, run);
      }
    }
  }

  // The digits at or after `at` become another number; without any, a few bytes
  // become an integer of 1 to 8 bytes.
  void Number(std::string& text, size_t at) {
    static constexpr const char* kNumbers[] = {
        "0",          "1",          "-1",
        "255",        "65536",      "2147483647",
        "2147483648", "4294967295", "9223372036854775807",
        "1e308",      "1e-320",     "18446744073709551616",
        "nan",        "+Inf",       "0x7fffffff"};
    static constexpr uint64_t kIntegers[] = {
        0,          1,          0x7f,       0x80,
        0xff,       0x7fff,     0xffff,     0x7fffffff,
        0xffffffff, 1ull << 32, 1ull << 62, 0x7fffffffffffffff,
        1ull << 63, ~0ull,      16,         120};
    const size_t digit = text.find_first_of("0123456789", at);
    if (digit != std::string::npos && Below(3) != 0) {
      size_t end = text.find_first_not_of("0123456789", digit);
      if (end == std::string::npos) end = text.size();
      text.replace(digit, end - digit, kNumbers[Below(std::size(kNumbers))]);
      return;
    }
    const uint64_t integer = kIntegers[Below(std::size(kIntegers))];
    const size_t width = size_t{1} << Below(4);
    const bool big_endian = Below(2) == 0;
    std::string bytes(width, '\0');
    for (size_t i = 0; i < width; ++i) {
      bytes[big_endian ? width - 1 - i : i] =
          static_cast<char>(integer >> (8 * i));
    }
    text.replace(at, std::min(width, text.size() - at), bytes);
  }

  std::mt19937_64 random_;
  const size_t max_len_;
  const std::vector<std::string>& corpus_;
  const std::vector<std::string>& words_;
};

// --- Files.

bool ReadFile(const std::filesystem::path& path, std::string& out) {
  std::ifstream file(path, std::ios::binary);
  out.assign(std::istreambuf_iterator<char>(file), {});
  return file.good() || file.eof();
}

// Lines of `"text"` or `name="text"`, escapes \\ \" \xNN; # begins a comment.
bool ReadWords(const std::string& path, std::vector<std::string>& words) {
  std::ifstream file(path);
  if (!file) return false;
  for (std::string line; std::getline(file, line);) {
    const size_t begin = line.find('"'), end = line.rfind('"');
    if (line.starts_with('#') || begin == end) continue;
    std::string word;
    for (size_t i = begin + 1; i < end; ++i) {
      if (line[i] == '\\' && i + 1 < end && line[i + 1] != 'x') {
        word += line[++i];
      } else if (line[i] == '\\' && i + 3 < end) {
        word += static_cast<char>(
            std::strtoul(line.substr(i + 2, 2).c_str(), nullptr, 16));
        i += 3;
      } else {
        word += line[i];
      }
    }
    words.push_back(word);
  }
  return true;
}

bool ParseFlags(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const size_t equals = arg.find('=');
    if (!arg.starts_with('-')) {
      flags.paths.emplace_back(arg);
      continue;
    }
    const std::string_view name = arg.substr(0, equals);
    const std::string value(
        equals == std::string_view::npos ? "" : arg.substr(equals + 1));
    if (name == "-max_total_time") {
      flags.max_total_time = std::strtod(value.c_str(), nullptr);
    } else if (name == "-runs") {
      flags.runs = std::strtol(value.c_str(), nullptr, 10);
    } else if (name == "-seed") {
      flags.seed = std::strtoul(value.c_str(), nullptr, 10);
    } else if (name == "-max_len") {
      flags.max_len = std::strtoul(value.c_str(), nullptr, 10);
    } else if (name == "-timeout") {
      flags.timeout =
          static_cast<unsigned>(std::strtoul(value.c_str(), nullptr, 10));
    } else if (name == "-dict") {
      flags.dict = value;
    } else if (name == "-artifact_prefix") {
      flags.artifact_prefix = value;
    } else {
      std::fprintf(stderr, "fuzz: unknown flag %s\n", argv[i]);
      return false;
    }
  }
  return true;
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!ParseFlags(argc, argv, flags)) return 2;
  std::vector<std::string> words;
  if (!flags.dict.empty() && !ReadWords(flags.dict, words)) {
    std::fprintf(stderr, "fuzz: cannot read %s\n", flags.dict.c_str());
    return 2;
  }
  std::vector<std::filesystem::path> files;
  bool only_files = !flags.paths.empty();
  for (const std::string& path : flags.paths) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      files.emplace_back(path);
      continue;
    }
    only_files = false;
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      if (entry.is_regular_file(error)) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());  // the seed alone decides

  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) {
    signal(number, OnSignal);
  }
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(KeepInput);

  std::vector<std::string> corpus;
  for (const auto& file : files) {
    std::string text;
    if (!ReadFile(file, text)) {
      std::fprintf(stderr, "fuzz: cannot read %s\n", file.c_str());
      return 2;
    }
    Run(flags, text, "of-" + file.filename().string(), file.string());
    corpus.push_back(std::move(text));
  }

  long run = 0;
  if (!only_files) {
    Mutator mutator(flags.seed, flags.max_len, corpus, words);
    const double until = ProcessorSeconds() + flags.max_total_time;
    while (flags.runs >= 0 ? run < flags.runs : ProcessorSeconds() < until) {
      ++run;
      const std::string which =
          std::to_string(flags.seed) + "-" + std::to_string(run);
      Run(flags, mutator.Next(), which, "mutation " + which + " (seed-run)");
    }
  }
  std::printf("%zu seeds, %ld mutations of seed %lu, nothing found\n",
              corpus.size(), run, flags.seed);
  return 0;
}

}  // namespace
}  // namespace narthex::test

int main(int argc, char** argv) { return narthex::test::Main(argc, argv); }
