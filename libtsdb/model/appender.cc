#include "narthex/model/appender.h"

namespace narthex {

Appended AppendFloat(Appender& appender, SeriesRef ref, Timestamp t, double v) {
  Appended outcome = Appended::kStored;
  const absl::Status status = appender.AppendFloats(
      {.refs = {&ref, 1}, .values = {&v, 1}, .at = t}, {&outcome, 1});
  return status.ok() ? outcome : Appended::kInvalid;
}

}  // namespace narthex
