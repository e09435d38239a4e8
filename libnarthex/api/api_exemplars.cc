// query_exemplars: the exemplars of the series that an expression looks at.

#include "libnarthex/api/api.h"
#include "narthex/promql/ast.h"

namespace narthex::api {

ApiError QueryExemplars(Call& call) {
  TimeRange range;
  if (auto error = ReadRange(call.form, range)) return error;
  if (range.max < range.min) {
    return BadData("end timestamp must not be before start timestamp");
  }
  const auto expr =
      promql::ParseExpr(call.form.Get("query"),
                        ParserOptionsOf(call.narthex().engine().options()));
  if (!expr.ok()) return BadData(Message(expr.status()));
  std::vector<Matchers> selectors;
  for (const Matchers* matchers : promql::ExtractSelectors(**expr)) {
    selectors.push_back(*matchers);
  }
  JsonWriter json(call.data);
  if (selectors.empty()) {
    json.Null();
    return NoError();
  }
  const auto querier = call.narthex().NewQuerier(range);
  if (!querier.ok()) return FromStatus(querier.status());
  ReadScope scope(call);
  const auto found = (*querier)->Exemplars(selectors, range, scope.ctx);
  if (!found.ok()) return FromStatus(found.status());
  json.BeginArray();
  for (const ExemplarSeries& series : *found) {
    json.BeginObject();
    json.Key("seriesLabels");
    json.Write(series.labels);
    json.Key("exemplars");
    json.BeginArray();
    for (const Exemplar& exemplar : series.exemplars) {
      json.BeginObject();
      json.Key("labels");
      json.Write(exemplar.labels);
      json.Key("value");
      json.SampleValue(exemplar.value);
      json.Key("timestamp");
      json.Time(exemplar.t);
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  return NoError();
}

}  // namespace narthex::api
