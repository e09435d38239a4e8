// Parts of the date, UTC, of seconds since the epoch; fractions are cut.

#include <cmath>
#include <cstdint>
#include <limits>

#include "libpromql/func/map_functions.h"

namespace narthex::promql {
namespace {

constexpr int64_t kSecondsPerDay = 24 * 60 * 60;

// What amd64's conversion gives: out of range and NaN are the least integer.
int64_t ToSeconds(double v) {
  if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0)) {
    return std::numeric_limits<int64_t>::min();
  }
  return static_cast<int64_t>(v);
}

int64_t FloorDiv(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return a % b < 0 ? q - 1 : q;
}

struct Date {
  int64_t year = 1970;
  int month = 1;        // 1..12
  int day = 1;          // 1..31
  int day_of_year = 1;  // 1..366
};

bool IsLeap(int64_t year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}
int DaysIn(int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

// Proleptic Gregorian; eras of 400 years beginning in March.
Date ToDate(int64_t seconds) {
  const int64_t days = FloorDiv(seconds, kSecondsPerDay) + 719468;
  const int64_t era = FloorDiv(days, 146097);
  const int64_t of_era = days - era * 146097;
  const int64_t year_of_era =
      (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year =
      of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * of_year + 2) / 153;
  Date date;
  date.day = static_cast<int>(of_year - (153 * shifted_month + 2) / 5 + 1);
  date.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3
                                                   : shifted_month - 9);
  date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
  date.day_of_year = date.day;
  for (int m = 1; m < date.month; ++m) date.day_of_year += DaysIn(date.year, m);
  return date;
}

// 0 .. 86399, also of the first second there is.
int64_t SecondOfDay(int64_t seconds) {
  return (seconds % kSecondsPerDay + kSecondsPerDay) % kSecondsPerDay;
}

double Minute(double v) {
  const int64_t s = ToSeconds(v);
  return static_cast<double>(SecondOfDay(s) / 60 % 60);
}
double Hour(double v) {
  const int64_t s = ToSeconds(v);
  return static_cast<double>(SecondOfDay(s) / 3600);
}
double DayOfWeek(double v) {
  const int64_t days = FloorDiv(ToSeconds(v), kSecondsPerDay);
  const int64_t from_sunday = days + 4;  // 1970-01-01 was a Thursday
  return static_cast<double>(from_sunday - FloorDiv(from_sunday, 7) * 7);
}
double DayOfMonth(double v) { return ToDate(ToSeconds(v)).day; }
double DayOfYear(double v) { return ToDate(ToSeconds(v)).day_of_year; }
double DaysInMonth(double v) {
  const Date date = ToDate(ToSeconds(v));
  return DaysIn(date.year, date.month);
}
double Month(double v) { return ToDate(ToSeconds(v)).month; }
double Year(double v) { return static_cast<double>(ToDate(ToSeconds(v)).year); }

}  // namespace

MapFunction FindCalendarFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kMinute:
      return Loop([](double v) { return Minute(v); });
    case FunctionId::kHour:
      return Loop([](double v) { return Hour(v); });
    case FunctionId::kDayOfWeek:
      return Loop([](double v) { return DayOfWeek(v); });
    case FunctionId::kDayOfMonth:
      return Loop([](double v) { return DayOfMonth(v); });
    case FunctionId::kDayOfYear:
      return Loop([](double v) { return DayOfYear(v); });
    case FunctionId::kDaysInMonth:
      return Loop([](double v) { return DaysInMonth(v); });
    case FunctionId::kMonth:
      return Loop([](double v) { return Month(v); });
    case FunctionId::kYear:
      return Loop([](double v) { return Year(v); });
    default:
      return nullptr;
  }
}

bool IsCalendarFunction(FunctionId id) {
  return FindCalendarFunction(id) != nullptr;
}

}  // namespace narthex::promql
