// Binary operators in the naive evaluator.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "narthex/model/labels_builder.h"
#include "test/promql/naive/naive_evaluator.h"

namespace narthex::promql::naive {
namespace {

// Arithmetic takes the name away, filters and trims don't.
bool IsArithmetic(BinaryOp op) { return op <= BinaryOp::kAtan2; }

std::string Incompatible(BinaryOp op, bool left, bool right) {
  return StrCat("incompatible sample types encountered for binary operator ",
                GoQuote(Text(op)), ": ", left ? "histogram" : "float", " ",
                Text(op), " ", right ? "histogram" : "float");
}

Labels Matched(const VectorMatching& m, const Labels& labels) {
  if (m.on) return Only(labels, m.labels);
  std::vector<std::string> ignored = m.labels;
  ignored.push_back("__name__");
  return Without(labels, ignored);
}

}  // namespace

double Apply(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMod:
      return std::fmod(a, b);
    case BinaryOp::kPow:
      return std::pow(a, b);
    case BinaryOp::kAtan2:
      return std::atan2(a, b);
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kNotEqual:
      return a != b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessEqual:
      return a <= b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterEqual:
      return a >= b;
    default:
      return 0;
  }
}

std::optional<Evaluator::Met> Evaluator::Meet(const Binary& b, const Element& l,
                                              const Element& r,
                                              std::optional<Note>& note) {
  auto refuse = [&]() -> std::optional<Met> {
    note =
        Note{false, Incompatible(b.op, l.h != nullptr, r.h != nullptr), b.pos};
    return std::nullopt;
  };
  const bool trims =
      b.op == BinaryOp::kTrimUpper || b.op == BinaryOp::kTrimLower;
  Met out;
  if (l.h == nullptr && r.h == nullptr) {
    if (trims) return refuse();
    const double v = Apply(b.op, l.v, r.v);
    out.keep = !IsComparison(b.op) || v != 0;
    out.value.v = IsComparison(b.op) ? l.v : v;
    return out;
  }
  Hist h;
  if (l.h != nullptr && r.h != nullptr) {
    if (b.op == BinaryOp::kEqual || b.op == BinaryOp::kNotEqual) {
      out.keep = SameHist(*l.h, *r.h) == (b.op == BinaryOp::kEqual);
      out.value.h = l.h;
      return out;
    }
    if (b.op != BinaryOp::kAdd && b.op != BinaryOp::kSub) return refuse();
    const bool add = b.op == BinaryOp::kAdd;
    h = *l.h;
    const Meeting met = add ? Add(h, *r.h) : Subtract(h, *r.h);
    if (met.incompatible) {
      note = Note{true,
                  StrCat("incompatible bucket layout encountered for binary "
                         "operator ",
                         Text(b.op)),
                  b.pos};
      return std::nullopt;
    }
    const char* what = add ? "addition" : "subtraction";
    // The warning is the operator's error, and takes the element with it.
    if (met.collision) {
      note = Note{true, Conflicting(what), b.pos};
      return std::nullopt;
    }
    if (met.reconciled) note = Note{false, Reconciled(what), b.pos};
    if (!add) h.hint = Hist::Hint::kGauge;
    h.Compact();
  } else if (l.h != nullptr && trims) {
    h = *l.h;
    h.Trim(r.v, b.op == BinaryOp::kTrimUpper);
  } else if (b.op == BinaryOp::kMul) {
    h = l.h != nullptr ? *l.h : *r.h;
    h.Scale(l.h != nullptr ? r.v : l.v);
    h.Compact();
  } else if (b.op == BinaryOp::kDiv && l.h != nullptr) {
    h = *l.h;
    h.Divide(r.v);
    h.Compact();
  } else {
    return refuse();
  }
  out.value.h = std::make_shared<const Hist>(std::move(h));
  return out;
}

Elements Evaluator::BinaryOf(const Binary& b, int64_t t) {
  const bool left_scalar = b.lhs->type == ValueType::kScalar;
  const bool right_scalar = b.rhs->type == ValueType::kScalar;
  if (left_scalar || right_scalar) {
    const Element scalar = {{}, Scalar(left_scalar ? *b.lhs : *b.rhs, t)};
    const Elements in = Vector(left_scalar ? *b.rhs : *b.lhs, t);
    Elements out;
    std::optional<Note> note;
    for (const Element& e : in) {
      const auto met =
          left_scalar ? Meet(b, scalar, e, note) : Meet(b, e, scalar, note);
      if (!met.has_value() || (!met->keep && !b.return_bool)) continue;
      Element result = e;
      if (b.return_bool) {
        result.v = met->keep ? 1 : 0;
        result.h = nullptr;
      } else if (!IsComparison(b.op)) {
        result.v = met->value.v;
        result.h = met->value.h;
      }
      if (b.return_bool || IsArithmetic(b.op)) DropName(result);
      out.push_back(std::move(result));
    }
    if (note.has_value()) notes_.Add(*note);
    CheckUnique(out);
    return out;
  }
  const Elements lhs = Vector(*b.lhs, t), rhs = Vector(*b.rhs, t);
  if (!IsSetOperator(b.op)) return Join(b, lhs, rhs);
  auto key = [&b](const Element& e) {
    return std::string(Matched(*b.matching, e.labels).packed());
  };
  std::set<std::string> left, right;
  for (const Element& e : lhs) left.insert(key(e));
  for (const Element& e : rhs) right.insert(key(e));
  Elements out;
  for (const Element& e : lhs) {
    if (b.op == BinaryOp::kOr ||
        right.contains(key(e)) == (b.op == BinaryOp::kAnd)) {
      out.push_back(e);
    }
  }
  if (b.op == BinaryOp::kOr) {
    for (const Element& e : rhs) {
      if (!left.contains(key(e))) out.push_back(e);
    }
  }
  // Whether a series loses its name in the end is settled by its first element.
  for (Element& e : out) {
    if (grid_.instant()) break;
    e.drop_name = drops_name_
                      .try_emplace({&b, grid_, std::string(e.labels.packed())},
                                   e.drop_name)
                      .first->second;
  }
  CheckUnique(out);
  return out;
}

Elements Evaluator::Join(const Binary& b, const Elements& lhs,
                         const Elements& rhs) {
  Elements out;
  const VectorMatching& m = *b.matching;
  const bool fills = m.fill_left.has_value() || m.fill_right.has_value();
  if ((lhs.empty() || rhs.empty()) && !fills) return out;
  const bool swapped = m.card == VectorMatching::Card::kOneToMany;
  const bool one_to_one = m.card == VectorMatching::Card::kOneToOne;
  const Elements& many = swapped ? rhs : lhs;
  const Elements& one = swapped ? lhs : rhs;
  std::map<std::string, const Element*> partner;
  for (const Element& e : one) {
    const Labels labels = Matched(m, e.labels);
    const Element*& slot = partner[std::string(labels.packed())];
    if (slot != nullptr) {
      std::string x = slot->labels.ToString(), y = e.labels.ToString();
      if (y < x) std::swap(x, y);
      Fail("found duplicate series for the match group " + labels.ToString() +
           " on the " + (swapped ? "left" : "right") +
           " hand-side of the operation: [" + x + ", " + y +
           "];many-to-many matching not allowed: matching labels must be "
           "unique on one side");
    }
    slot = &e;
  }
  std::map<std::string, std::set<std::string>> used;
  std::optional<Note> note;
  auto join = [&](const Element& of_many, const Element& of_one,
                  const std::string& key) {
    const Element &left = swapped ? of_one : of_many,
                  &right = swapped ? of_many : of_one;
    const auto met = Meet(b, left, right, note);
    if (!met.has_value()) return;
    Labels labels = of_many.labels;
    if (IsArithmetic(b.op) || (b.return_bool && !delayed())) {
      labels = WithoutName(labels);
    }
    if (one_to_one) {
      labels = m.on ? Only(labels, m.labels) : Without(labels, m.labels);
    }
    LabelsBuilder builder(labels);
    for (const std::string& name : m.include) {
      builder.Set(name, of_one.labels.Get(name));
    }
    labels = builder.Build();
    if (!used[key]
             .insert(one_to_one ? std::string() : std::string(labels.packed()))
             .second) {
      Fail(one_to_one ? "multiple matches for labels: many-to-one matching "
                        "must be explicit (group_left/group_right)"
                      : "multiple matches for labels: grouping labels must "
                        "ensure unique matches");
    }
    Element result = met->value;
    result.labels = labels;
    if (b.return_bool) {
      result = {labels, met->keep ? 1.0 : 0.0, nullptr, true};
    } else if (!met->keep) {
      return;
    }
    out.push_back(std::move(result));
  };
  for (const Element& e : many) {
    const Labels labels = Matched(m, e.labels);
    const std::string key(labels.packed());
    const auto found = partner.find(key);
    if (found != partner.end()) {
      join(e, *found->second, key);
    } else if (m.fill_right.has_value()) {
      join(e, {labels, *m.fill_right}, key);
    }
  }
  if (m.fill_left.has_value()) {
    for (const Element& e : one) {
      const Labels labels = Matched(m, e.labels);
      const std::string key(labels.packed());
      if (!used[key].empty()) continue;
      join({labels, *m.fill_left}, e, key);
    }
  }
  if (note.has_value()) notes_.Add(*note);
  CheckUnique(out);
  return out;
}

}  // namespace narthex::promql::naive
