// A fuzz target: a function that gets any bytes and comes back.
//
//   // test/fuzz/wal_record_fuzz.cc
//   #include "test/support/fuzz_target.h"
//
//   extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
//     auto record = DecodeRecord(narthex::test::FuzzText(data, size));
//     if (record.ok()) NARTHEX_FUZZ_CHECK(Encode(*record) == ..., "differs");
//     return 0;
//   }
//
// To be declared in test/fuzz/CMakeLists.txt: narthex_fuzz_target(wal_record
// narthex::tsdb).  Its seeds, small and hand-picked, are the files in
// test/fuzz/corpus/wal_record/; test/fuzz/corpus/wal_record.dict, if there is
// one, has words to insert, one per line as "text" with \\, \" and \xNN.
//
// Built by gcc, or by clang without libFuzzer, a target is linked with
// fuzz_driver.cc: ctest runs the corpus, then NARTHEX_FUZZ_SECONDS (2) of
// mutations of it from a fixed seed.  The `nightly` preset links libFuzzer
// instead and takes a minute.  Both know the same flags, and both leave the
// input that failed as a file to be given as an argument.
//
// A target is one thread, keeps nothing from call to call that changes what it
// does, and touches no file.  Whatever is built once (a tiny store) is a
// function's static.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace narthex::test {

inline std::string_view FuzzText(const uint8_t* data, size_t size) {
  return std::string_view(reinterpret_cast<const char*>(data), size);
}

// Says what is wrong and aborts; the driver then keeps the input.
[[noreturn]] inline void FuzzFail(const char* file, int line,
                                  const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  std::abort();
}

}  // namespace narthex::test

// `what` is evaluated only if the condition fails.
#define NARTHEX_FUZZ_CHECK(condition, what)                             \
  do {                                                                  \
    if (!(condition)) {                                                 \
      ::narthex::test::FuzzFail(__FILE__, __LINE__,                     \
                                std::string(#condition ": ") + (what)); \
    }                                                                   \
  } while (false)
