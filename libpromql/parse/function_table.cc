#include "libpromql/parse/function_table.h"

#include <algorithm>

namespace narthex::promql {
namespace {

constexpr ValueType kS = ValueType::kScalar;
constexpr ValueType kT = ValueType::kString;
constexpr ValueType kV = ValueType::kVector;
constexpr ValueType kM = ValueType::kMatrix;

constexpr ValueType kVSS[] = {kV, kS, kS};
constexpr ValueType kMSS[] = {kM, kS, kS};
constexpr ValueType kSSV[] = {kS, kS, kV};
constexpr ValueType kSM[] = {kS, kM};
constexpr ValueType kVV[] = {kV, kV};
constexpr ValueType kVTSS[] = {kV, kT, kS, kS};
constexpr ValueType kVTTTT[] = {kV, kT, kT, kT, kT};

// Prefixes of the lists above serve for the shorter signatures.
constexpr std::span<const ValueType> kNothing = {};
constexpr std::span<const ValueType> kScalar1(kSM, 1);
constexpr std::span<const ValueType> kScalar2(kSSV, 2);
constexpr std::span<const ValueType> kVector1(kVSS, 1);
constexpr std::span<const ValueType> kVectorScalar(kVSS, 2);
constexpr std::span<const ValueType> kMatrix1(kMSS, 1);
constexpr std::span<const ValueType> kMatrixScalar(kMSS, 2);
constexpr std::span<const ValueType> kScalarVector(kSSV + 1, 2);
constexpr std::span<const ValueType> kVectorText(kVTTTT, 2);
constexpr std::span<const ValueType> kVectorText3(kVTTTT, 4);

using F = FunctionId;
constexpr bool kExperimental = true;

constexpr Function kTable[] = {
    {"abs", F::kAbs, kVector1},
    {"absent", F::kAbsent, kVector1},
    {"absent_over_time", F::kAbsentOverTime, kMatrix1},
    {"acos", F::kAcos, kVector1},
    {"acosh", F::kAcosh, kVector1},
    {"asin", F::kAsin, kVector1},
    {"asinh", F::kAsinh, kVector1},
    {"atan", F::kAtan, kVector1},
    {"atanh", F::kAtanh, kVector1},
    {"avg_over_time", F::kAvgOverTime, kMatrix1},
    {"ceil", F::kCeil, kVector1},
    {"changes", F::kChanges, kMatrix1},
    {"clamp", F::kClamp, kVSS},
    {"clamp_max", F::kClampMax, kVectorScalar},
    {"clamp_min", F::kClampMin, kVectorScalar},
    {"cos", F::kCos, kVector1},
    {"cosh", F::kCosh, kVector1},
    {"count_over_time", F::kCountOverTime, kMatrix1},
    {"day_of_month", F::kDayOfMonth, kVector1, 1},
    {"day_of_week", F::kDayOfWeek, kVector1, 1},
    {"day_of_year", F::kDayOfYear, kVector1, 1},
    {"days_in_month", F::kDaysInMonth, kVector1, 1},
    {"deg", F::kDeg, kVector1},
    {"delta", F::kDelta, kMatrix1},
    {"deriv", F::kDeriv, kMatrix1},
    {"double_exponential_smoothing", F::kDoubleExponentialSmoothing, kMSS, 0,
     kV, kExperimental},
    {"end", F::kEnd, kNothing, 0, kS, kExperimental},
    {"exp", F::kExp, kVector1},
    {"first_over_time", F::kFirstOverTime, kMatrix1},
    {"floor", F::kFloor, kVector1},
    {"histogram_avg", F::kHistogramAvg, kVector1},
    {"histogram_count", F::kHistogramCount, kVector1},
    {"histogram_fraction", F::kHistogramFraction, kSSV},
    {"histogram_quantile", F::kHistogramQuantile, kScalarVector},
    {"histogram_quantiles", F::kHistogramQuantiles, kVTSS, 9, kV,
     kExperimental},
    {"histogram_stddev", F::kHistogramStddev, kVector1},
    {"histogram_stdvar", F::kHistogramStdvar, kVector1},
    {"histogram_sum", F::kHistogramSum, kVector1},
    {"hour", F::kHour, kVector1, 1},
    {"idelta", F::kIdelta, kMatrix1},
    {"increase", F::kIncrease, kMatrix1},
    {"info", F::kInfo, kVV, 1, kV, kExperimental},
    {"irate", F::kIrate, kMatrix1},
    {"label_join", F::kLabelJoin, kVectorText3, -1},
    {"label_replace", F::kLabelReplace, kVTTTT},
    {"last_over_time", F::kLastOverTime, kMatrix1},
    {"ln", F::kLn, kVector1},
    {"log10", F::kLog10, kVector1},
    {"log2", F::kLog2, kVector1},
    {"mad_over_time", F::kMadOverTime, kMatrix1, 0, kV, kExperimental},
    {"max_of", F::kMaxOf, kScalar2, 0, kS, kExperimental},
    {"max_over_time", F::kMaxOverTime, kMatrix1},
    {"min_of", F::kMinOf, kScalar2, 0, kS, kExperimental},
    {"min_over_time", F::kMinOverTime, kMatrix1},
    {"minute", F::kMinute, kVector1, 1},
    {"month", F::kMonth, kVector1, 1},
    {"pi", F::kPi, kNothing, 0, kS},
    {"predict_linear", F::kPredictLinear, kMatrixScalar},
    {"present_over_time", F::kPresentOverTime, kMatrix1},
    {"quantile_over_time", F::kQuantileOverTime, kSM},
    {"rad", F::kRad, kVector1},
    {"range", F::kRange, kNothing, 0, kS, kExperimental},
    {"rate", F::kRate, kMatrix1},
    {"resets", F::kResets, kMatrix1},
    {"round", F::kRound, kVectorScalar, 1},
    {"scalar", F::kScalar, kVector1, 0, kS},
    {"sgn", F::kSgn, kVector1},
    {"sin", F::kSin, kVector1},
    {"sinh", F::kSinh, kVector1},
    {"sort", F::kSort, kVector1},
    {"sort_by_label", F::kSortByLabel, kVectorText, -1, kV, kExperimental},
    {"sort_by_label_desc", F::kSortByLabelDesc, kVectorText, -1, kV,
     kExperimental},
    {"sort_desc", F::kSortDesc, kVector1},
    {"sqrt", F::kSqrt, kVector1},
    {"start", F::kStart, kNothing, 0, kS, kExperimental},
    {"start_timestamp", F::kStartTimestamp, kVector1, 0, kV, kExperimental},
    {"stddev_over_time", F::kStddevOverTime, kMatrix1},
    {"stdvar_over_time", F::kStdvarOverTime, kMatrix1},
    {"step", F::kStep, kNothing, 0, kS, kExperimental},
    {"sum_over_time", F::kSumOverTime, kMatrix1},
    {"tan", F::kTan, kVector1},
    {"tanh", F::kTanh, kVector1},
    {"time", F::kTime, kNothing, 0, kS},
    {"timestamp", F::kTimestamp, kVector1},
    {"ts_of_first_over_time", F::kTsOfFirstOverTime, kMatrix1, 0, kV,
     kExperimental},
    {"ts_of_last_over_time", F::kTsOfLastOverTime, kMatrix1, 0, kV,
     kExperimental},
    {"ts_of_max_over_time", F::kTsOfMaxOverTime, kMatrix1, 0, kV,
     kExperimental},
    {"ts_of_min_over_time", F::kTsOfMinOverTime, kMatrix1, 0, kV,
     kExperimental},
    {"vector", F::kVector, kScalar1},
    {"year", F::kYear, kVector1, 1},
};

constexpr bool RowsAreInOrder() {
  for (size_t i = 0; i < std::size(kTable); ++i) {
    if (static_cast<size_t>(kTable[i].id) != i) return false;
    if (i > 0 && !(kTable[i - 1].name < kTable[i].name)) return false;
  }
  return true;
}
static_assert(std::size(kTable) == kFunctionCount);
static_assert(RowsAreInOrder());

}  // namespace

std::span<const Function> AllFunctions() { return kTable; }

const Function* FindFunction(std::string_view name) {
  const Function* row = std::lower_bound(
      std::begin(kTable), std::end(kTable), name,
      [](const Function& f, std::string_view n) { return f.name < n; });
  return row != std::end(kTable) && row->name == name ? row : nullptr;
}

const Function& GetFunction(FunctionId id) {
  return kTable[static_cast<size_t>(id)];
}

}  // namespace narthex::promql
