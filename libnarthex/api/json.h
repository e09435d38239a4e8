// JSON exactly as Prometheus's HTTP API writes it: Go's number texts, Go's
// escapes, times as seconds with three decimals or none.
//
// A JsonWriter appends to a string that it borrows and sets the commas itself;
// it trusts its caller to open and close in order.  One thread.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "narthex/base/time.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/labels.h"
#include "narthex/promql/value.h"

namespace narthex::api {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  void Key(std::string_view key);  // quoted as String

  // As Go's encoding/json: <, > and & become \u003c and so on, bytes that are
  // not UTF-8 become \ufffd.
  void String(std::string_view text);
  // As labels are written: only what JSON demands is escaped.
  void PlainString(std::string_view text);
  void Int(int64_t n);
  void Uint(uint64_t n);
  void Number(double v);  // must be finite
  void Bool(bool b) { Raw(b ? "true" : "false"); }
  void Null() { Raw("null"); }
  // Text that is JSON already.
  void Raw(std::string_view json);

  // "1", "NaN", "+Inf", in quotes: a sample's value.
  void SampleValue(double v);
  // 1435781451.781; 1435781451.100; 1435781451: a sample's time.
  void Time(Timestamp t);

  // Whole values.
  void Write(const Labels& labels);
  void Write(const FloatHistogram& histogram);
  // What stands under "result": nothing, `[]`, for an empty vector or matrix.
  void Write(const promql::Value& value);

 private:
  void Comma() {
    if (comma_) out_.push_back(',');
    comma_ = true;
  }
  void Open(char c) {
    Comma();
    out_.push_back(c);
    comma_ = false;
  }
  void Close(char c) {
    out_.push_back(c);
    comma_ = true;
  }
  void Point(const Sample& sample);
  void Point(const promql::HistogramSample& sample);

  std::string& out_;
  bool comma_ = false;  // something stands before, at this level
};

}  // namespace narthex::api
