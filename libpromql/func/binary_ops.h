// The binary operators on floats, as loops over columns.
//
// Pure; any thread.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "narthex/promql/ast.h"

namespace narthex::promql {

// Calls f(Op{}) with the operator as a type that has Apply(a, b): a double for
// arithmetic, a bool for comparisons.  Trim operators have no meaning between
// floats and are not asked for.
template <typename F>
void WithOperator(BinaryOp op, F&& f) {
  struct Add {
    static double Apply(double a, double b) { return a + b; }
  };
  struct Sub {
    static double Apply(double a, double b) { return a - b; }
  };
  struct Mul {
    static double Apply(double a, double b) { return a * b; }
  };
  struct Div {
    static double Apply(double a, double b) { return a / b; }
  };
  struct Mod {
    static double Apply(double a, double b) { return std::fmod(a, b); }
  };
  struct Pow {
    static double Apply(double a, double b) { return std::pow(a, b); }
  };
  struct Atan2 {
    static double Apply(double a, double b) { return std::atan2(a, b); }
  };
  struct Equal {
    static bool Apply(double a, double b) { return a == b; }
  };
  struct NotEqual {
    static bool Apply(double a, double b) { return a != b; }
  };
  struct Less {
    static bool Apply(double a, double b) { return a < b; }
  };
  struct LessEqual {
    static bool Apply(double a, double b) { return a <= b; }
  };
  struct Greater {
    static bool Apply(double a, double b) { return a > b; }
  };
  struct GreaterEqual {
    static bool Apply(double a, double b) { return a >= b; }
  };
  switch (op) {
    case BinaryOp::kAdd:
      return f(Add{});
    case BinaryOp::kSub:
      return f(Sub{});
    case BinaryOp::kMul:
      return f(Mul{});
    case BinaryOp::kDiv:
      return f(Div{});
    case BinaryOp::kMod:
      return f(Mod{});
    case BinaryOp::kPow:
      return f(Pow{});
    case BinaryOp::kAtan2:
      return f(Atan2{});
    case BinaryOp::kEqual:
      return f(Equal{});
    case BinaryOp::kNotEqual:
      return f(NotEqual{});
    case BinaryOp::kLess:
      return f(Less{});
    case BinaryOp::kLessEqual:
      return f(LessEqual{});
    case BinaryOp::kGreater:
      return f(Greater{});
    case BinaryOp::kGreaterEqual:
      return f(GreaterEqual{});
    default:
      return;
  }
}

// out[k] = a[k] op b[k]; comparisons: 1 or 0.  `out` may be `a` or `b`.
void ApplyArithmetic(BinaryOp op, const double* a, const double* b, double* out,
                     size_t n);
// Clears the bits of `present` where the comparison is false.
void ApplyFilter(BinaryOp op, const double* a, const double* b,
                 uint64_t* present, size_t n);
// One pair; comparisons: 1 or 0.
double ApplyOne(BinaryOp op, double a, double b);

}  // namespace narthex::promql
