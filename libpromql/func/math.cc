// Functions of one number.

#include <cmath>
#include <limits>
#include <numbers>

#include "libpromql/func/map_functions.h"

namespace narthex::promql {
namespace {

double Sign(double v) {
  if (v < 0) return -1;
  if (v > 0) return 1;
  return v;  // NaN, and zeros with their sign
}
double Degrees(double v) { return v * 180 / std::numbers::pi; }
double Radians(double v) { return v * std::numbers::pi / 180; }

}  // namespace

double Round(double v, double to_nearest) {
  const double inverse = 1.0 / to_nearest;
  return std::floor(v * inverse + 0.5) / inverse;
}

double GoMin(double a, double b) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  if (a == -kInf || b == -kInf) return -kInf;
  if (std::isnan(a) || std::isnan(b)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (a == 0 && a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

double GoMax(double a, double b) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  if (a == kInf || b == kInf) return kInf;
  if (std::isnan(a) || std::isnan(b)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (a == 0 && a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

double Clamp(double v, double min, double max) {
  return GoMax(min, GoMin(max, v));
}

MapFunction FindMathFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kAbs:
      return Loop([](double v) { return std::fabs(v); });
    case FunctionId::kCeil:
      return Loop([](double v) { return std::ceil(v); });
    case FunctionId::kFloor:
      return Loop([](double v) { return std::floor(v); });
    case FunctionId::kExp:
      return Loop([](double v) { return std::exp(v); });
    case FunctionId::kSqrt:
      return Loop([](double v) { return std::sqrt(v); });
    case FunctionId::kLn:
      return Loop([](double v) { return std::log(v); });
    case FunctionId::kLog2:
      return Loop([](double v) { return std::log2(v); });
    case FunctionId::kLog10:
      return Loop([](double v) { return std::log10(v); });
    case FunctionId::kSin:
      return Loop([](double v) { return std::sin(v); });
    case FunctionId::kCos:
      return Loop([](double v) { return std::cos(v); });
    case FunctionId::kTan:
      return Loop([](double v) { return std::tan(v); });
    case FunctionId::kAsin:
      return Loop([](double v) { return std::asin(v); });
    case FunctionId::kAcos:
      return Loop([](double v) { return std::acos(v); });
    case FunctionId::kAtan:
      return Loop([](double v) { return std::atan(v); });
    case FunctionId::kSinh:
      return Loop([](double v) { return std::sinh(v); });
    case FunctionId::kCosh:
      return Loop([](double v) { return std::cosh(v); });
    case FunctionId::kTanh:
      return Loop([](double v) { return std::tanh(v); });
    case FunctionId::kAsinh:
      return Loop([](double v) { return std::asinh(v); });
    case FunctionId::kAcosh:
      return Loop([](double v) { return std::acosh(v); });
    case FunctionId::kAtanh:
      return Loop([](double v) { return std::atanh(v); });
    case FunctionId::kSgn:
      return Loop([](double v) { return Sign(v); });
    case FunctionId::kDeg:
      return Loop([](double v) { return Degrees(v); });
    case FunctionId::kRad:
      return Loop([](double v) { return Radians(v); });
    default:
      return nullptr;
  }
}

}  // namespace narthex::promql
