#include "tests/libattn/io/piped_input.h"
#include "tests/timeseries/series/read_text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"

namespace timeseries::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class ReadWide : public ReadTest {};

TEST_F(ReadWide, ColumnsBecomeChannels) {
  const Reading r = read("date,a,b\n2020-01-01,1,2\n2020-01-02,3,\n2020-01-03,NA,6\n");
  const SeriesSet& set = r.set;
  EXPECT_EQ(set.frequency, Frequency{Unit::day});
  EXPECT_THAT(set.channels, ElementsAre("a", "b"));
  EXPECT_EQ(set.time_column, "date");
  EXPECT_EQ(set.id_column, "");
  ASSERT_EQ(set.series.size(), 1U);
  EXPECT_EQ(set.series[0].id, "");
  EXPECT_EQ(set.series[0].start, instant_of({2020, 1, 1}));
  EXPECT_EQ(set.series[0].rows, 3);
  EXPECT_THAT(set.series[0].values, values_are({1, 2, 3, kNaN, kNaN, 6}));
  EXPECT_EQ(r.report.layout, Layout::wide);
  EXPECT_EQ(r.report.missing_values, 2);
  EXPECT_THAT(r.report.sentences(set), ElementsAre(HasSubstr("x.csv: 2 values are missing")));
}

TEST_F(ReadWide, TheColumnOfTimeIsFound) {
  const auto time_column = [&](const std::string& header, const std::string& first,
                               const std::string& second) {
    return read(header + "\n" + first + "\n" + second + "\n").set.time_column;
  };
  EXPECT_EQ(time_column("a,Date,month", "1,2020-01-01,1", "2,2020-01-02,1"), "Date");
  EXPECT_EQ(time_column("month,date,a", "1,2020-01-01,5", "1,2020-01-02,5"), "date");
  EXPECT_EQ(time_column("Month,a", "1949-01,5", "1949-02,6"), "Month");
  EXPECT_EQ(time_column("month,a", "1,5", "2,6"), "");
  EXPECT_EQ(time_column("when,a", "Jan 1990,5", "Feb 1990,6"), "when");
  EXPECT_EQ(time_column("a,when", "1990,2020Q1", "1991,2020Q2"), "when");
  EXPECT_EQ(time_column(",a", "2020-01-01,5", "2020-01-02,6"), "unnamed 1");
  EXPECT_EQ(time_column("Year,a", "1990,5", "1991,6"), "Year");
  EXPECT_EQ(time_column("step,a", "1,5", "2,6"), "step");
  EXPECT_EQ(time_column("x,y", "1990,5", "1991,6"), "");
}

TEST_F(ReadWide, WithoutTimeRowsAreCounted) {
  const Reading r = read("x,y\n-0.1,5\n0.0,6\n");
  EXPECT_EQ(r.set.frequency, Frequency{});
  EXPECT_EQ(r.set.series[0].start, 1);
  EXPECT_EQ(r.set.stamps.pattern, "#");
  EXPECT_THAT(refusal("x\n1\n2\n", {.frequency = Frequency{Unit::hour}}),
              HasSubstr("x.csv: the frequency h needs dates, but the rows are counted by whole "
                        "numbers; leave --freq out"));
}

TEST_F(ReadWide, NumbersAreAClockOfTheirOwn) {
  const Reading r = read("t,y\n10,1\n20,2\n30,3\n");
  EXPECT_EQ(r.set.frequency, (Frequency{Unit::index, 10}));
  EXPECT_EQ(r.set.series[0].start, 10);
  EXPECT_THAT(refusal("t,y\n10,1\n20,2\n30,3\n50,4\n"),
              HasSubstr("x.csv: row 5, column t: a gap: after '30' comes '50', expected '40'"));
}

TEST_F(ReadWide, RolesAsNamed) {
  const std::string text =
      "date,y,temp,promo,size,other\n2020-01-01,1,10,0,7,x\n2020-01-02,2,20,1,7,y\n"
      "2020-01-03,,,1,,\n2020-01-04,,,0,7,\n";
  const ReadOptions options{
      .targets = {"y"}, .past = {"temp"}, .future = {"promo"}, .statics = {"size"}};
  const Reading r = read(text, options);
  const Series& s = r.set.series[0];
  EXPECT_THAT(r.set.channels, ElementsAre("y"));
  EXPECT_THAT(r.set.past_names, ElementsAre("temp"));
  EXPECT_THAT(r.set.future_names, ElementsAre("promo"));
  EXPECT_THAT(r.set.static_names, ElementsAre("size"));
  EXPECT_EQ(s.rows, 2);
  EXPECT_EQ(s.ahead, 2);
  EXPECT_THAT(s.values, values_are({1, 2}));
  EXPECT_THAT(s.past, values_are({10, 20}));
  EXPECT_THAT(s.future, values_are({0, 1, 1, 0}));
  EXPECT_THAT(s.statics, values_are({7}));
  EXPECT_EQ(r.report.missing_values, 0);
  EXPECT_NO_THROW(require_ahead(r.set, 2));
  EXPECT_THAT(attn::test::sentence_of([&] { require_ahead(r.set, 4); }),
              HasSubstr("x.csv: covariates known ahead must reach 4 steps behind the last value; "
                        "absent: '2020-01-05', '2020-01-06'; add those rows"));
  // Without covariates known ahead, rows without a value are missing values.
  const Reading plain = read(text, {.targets = {"y"}});
  EXPECT_EQ(plain.set.series[0].rows, 4);
  EXPECT_EQ(plain.report.missing_values, 2);
}

TEST_F(ReadWide, RolesAreRefusedInASentence) {
  const std::string text = "date,load,temp\n2020-01-01,1,10\n2020-01-02,2,20\n";
  EXPECT_EQ(refusal(text, {.targets = {"laod"}}),
            "x.csv: there is no column 'laod' for values (found: date, load, temp); did you mean "
            "'load'?");
  EXPECT_THAT(refusal(text, {.past = {"tmp"}}), HasSubstr("did you mean 'temp'?"));
  EXPECT_THAT(refusal(text, {.time_column = "dat"}), HasSubstr("no column 'dat' for time"));
  EXPECT_THAT(refusal(text, {.id_column = "item"}), HasSubstr("no column 'item' for ids"));
  EXPECT_THAT(refusal(text, {.targets = {"load"}, .future = {"load"}}),
              HasSubstr("is named twice, for values and for covariates known ahead; name it once"));
  EXPECT_THAT(refusal(text, {.targets = {"load", "load"}}), HasSubstr("is named twice"));
  EXPECT_THAT(refusal(text, {.past = {"load", "temp"}}),
              HasSubstr("x.csv: has no column of values (found: date, load, temp); name one by "
                        "--target"));
  EXPECT_THAT(refusal(text, {.layout = Layout::longform}),
              HasSubstr("x.csv: no column of ids was found (columns: date, load, temp)"));
  EXPECT_THAT(refusal("date,y,s\n2020-01-01,1,7\n2020-01-02,2,8\n", {.statics = {"s"}}),
              HasSubstr("x.csv: row 3, column s: a static covariate is 8 here and 7 in an earlier "
                        "row"));
}

TEST_F(ReadWide, TextWhereAValueBelongs) {
  EXPECT_EQ(refusal("date,a,b\n2020-01-01,1,2\n2020-01-02,x,4\n"),
            "x.csv: row 3, column a: expected a number, found 'x'; where it is no value, name the "
            "columns of values by --target or that of ids by --id");
  EXPECT_EQ(refusal("date,a\n2020-01-01,1\n2020-01-02,1.5.2\n", {.targets = {"a"}}),
            "x.csv: row 3, column a: expected a number, found '1.5.2'");
  EXPECT_THAT(refusal("date,a\n2020-01-01,inf\n2020-01-02,1\n"), HasSubstr("found 'inf'"));
}

TEST_F(ReadWide, BrokenClocks) {
  EXPECT_THAT(
      refusal("date,a\n2020-01-01,1\n2020-01-02,2\n2020-01-02,3\n"),
      StartsWith("x.csv: row 4, column date: the time stamp '2020-01-02' is that of the row "
                 "before"));
  EXPECT_THAT(refusal("date,a\n2020-01-01,1\n2020-01-03,2\n2020-01-02,3\n2020-01-04,3\n"),
              StartsWith("x.csv: row 4, column date: the time stamp '2020-01-02' comes after "
                         "'2020-01-03'"));
  EXPECT_THAT(refusal("date,a\n2020-01-01,1\n\n2020-01-02,2\n2020-01-05,3\n2020-01-06,3\n"),
              StartsWith("x.csv: row 5, column date: a gap: after '2020-01-02' comes '2020-01-05', "
                         "expected '2020-01-03' (a step of 1 day, 2 rows absent)"));
  EXPECT_THAT(refusal("date,a\n2020-01-01 00:00,1\n2020-01-01 01:00,2\n2020-01-01 02:00,2\n"
                      "2020-01-01 03:30,3\n2020-01-01 04:00,3\n"),
              StartsWith("x.csv: row 5, column date: the time stamp '2020-01-01 03:30' lies on no "
                         "step of 1 hour from the first, '2020-01-01 00:00'"));
  // A clock put forward is a gap like others.
  EXPECT_THAT(refusal("date,a\n2021-03-28 00:00,1\n2021-03-28 01:00,2\n2021-03-28 03:00,3\n"),
              StartsWith("x.csv: row 4, column date: a gap: after '2021-03-28 01:00'"));
  EXPECT_EQ(refusal("date,a\n2020-01-01,1\n"),
            "x.csv: a frequency cannot be told from a single row; name it by --freq");
  EXPECT_EQ(read("date,a\n2020-01-01,1\n", {.frequency = Frequency{Unit::day}}).set.series[0].rows,
            1);
  EXPECT_EQ(refusal("date,a\n"), "x.csv: holds a header but no rows; expected one row or more");
}

TEST_F(ReadWide, GapsAreFilledAsChosenAndTold) {
  const std::string text =
      "date,y,x\n2020-01-01,1,10\n2020-01-02,3,\n2020-01-05,6,40\n2020-01-06,7,50\n2020-01-08,9,"
      "70\n";
  const auto values = [&](Fill fill) { return read(text, {.fill = fill}).set.series[0].values; };
  EXPECT_THAT(values(Fill::missing), values_are({1, 10, 3, kNaN, kNaN, kNaN, kNaN, kNaN, 6, 40, 7,
                                                 50, kNaN, kNaN, 9, 70}));
  EXPECT_THAT(values(Fill::linear),
              values_are({1, 10, 3, kNaN, 4, kNaN, 5, kNaN, 6, 40, 7, 50, 8, 60, 9, 70}));
  EXPECT_THAT(values(Fill::forward),
              values_are({1, 10, 3, kNaN, 3, kNaN, 3, kNaN, 6, 40, 7, 50, 7, 50, 9, 70}));
  const Reading r = read(text, {.fill = Fill::linear});
  EXPECT_EQ(r.report.inserted_rows, 3);
  EXPECT_EQ(r.report.gaps, 2);
  EXPECT_EQ(r.report.missing_values, 1);
  const std::vector<std::string> told = r.report.sentences(r.set);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_THAT(told[0], HasSubstr("x.csv: 3 absent rows were filled in 2 gaps, the first before "));
  EXPECT_THAT(told[0], HasSubstr("x.csv: row 4, column date"));
  EXPECT_THAT(refusal("date,y\n2020-01-01 00:00:00,1\n2020-01-01 00:00:01,2\n"
                      "9000-01-01 00:00:00,3\n",
                      {.fill = Fill::linear}),
              HasSubstr("x.csv: row 4, column date: filling the gaps up to '9000-01-01 00:00:00' "
                        "would take"));
}

TEST_F(ReadWide, FilledCovariates) {
  const Reading r = read(
      "date,y,p,f\n2020-01-01,1,10,0\n2020-01-03,3,30,2\n2020-01-04,,,3\n2020-01-06,,,5\n",
      {.past = {"p"}, .future = {"f"}, .frequency = Frequency{Unit::day}, .fill = Fill::linear});
  const Series& s = r.set.series[0];
  EXPECT_THAT(s.values, values_are({1, 2, 3}));
  EXPECT_THAT(s.past, values_are({10, 20, 30}));
  EXPECT_THAT(s.future, values_are({0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(s.ahead, 3);
}

TEST_F(ReadWide, MissingCovariatesAheadAreListed) {
  EXPECT_EQ(refusal("date,y,f,g\n2020-01-01,1,0,0\n2020-01-02,2,,2\n2020-01-03,,,3\n"
                    "2020-01-04,,5,\n",
                    {.future = {"f", "g"}}),
            "x.csv: covariates known ahead are missing behind the last value: f at '2020-01-03', g "
            "at '2020-01-04'; give them, or leave those rows out");
  std::string text = "date,y,f\n2020-01-01,1,0\n2020-01-02,2,1\n";
  for (int d = 3; d < 20; ++d)
    text += "2020-01-" + std::string(d < 10 ? "0" : "") + std::to_string(d) + ",,\n";
  EXPECT_THAT(refusal(text, {.future = {"f"}}), HasSubstr("f at '2020-01-07' and 12 more; give"));
}

TEST_F(ReadWide, NewestFirstIsTurnedRoundAndTold) {
  const Reading r = read("Week,g\n04/30/2021,3\n04/23/2021,2\n04/16/2021,1\n");
  EXPECT_EQ(r.set.frequency, Frequency{Unit::week});
  EXPECT_EQ(r.set.series[0].start, instant_of({2021, 4, 16}));
  EXPECT_THAT(r.set.series[0].values, values_are({1, 2, 3}));
  EXPECT_THAT(r.report.sentences(r.set),
              ElementsAre(HasSubstr("x.csv: its rows run from the latest to the earliest and were "
                                    "turned round")));
  EXPECT_THAT(
      refusal("Week,g\n04/30/2021,3\n04/23/2021,2\n04/09/2021,1\n04/02/2021,1\n"),
      StartsWith("x.csv: row 3, column Week: a gap: after '04/09/2021' comes '04/23/2021'"));
}

TEST_F(ReadWide, TheFrequencyMayBeNamed) {
  const std::string daily = "date,y\n2020-01-01,1\n2020-01-02,2\n2020-01-06,3\n2020-01-07,4\n";
  EXPECT_THAT(refusal(daily, {.frequency = parse_frequency("D")}),
              HasSubstr("(a step of 1 day, 3 rows absent)"));
  EXPECT_THAT(refusal(daily),  // no Saturday and Sunday: business days
              HasSubstr("expected '2020-01-03' (a step of 1 business day, 1 row absent)"));
  EXPECT_EQ(read("date,y\n2020-01-31,1\n2020-02-29,2\n", {.frequency = parse_frequency("M")})
                .set.frequency,
            parse_frequency("ME"));
  EXPECT_EQ(
      read("date,y\n2020-01,1\n2020-02,2\n", {.frequency = parse_frequency("M")}).set.frequency,
      parse_frequency("M"));
  EXPECT_THAT(refusal("date,y\n2020-01-01,1\n2020-02-01,2\n", {.frequency = parse_frequency("W")}),
              HasSubstr("lies on no step of 1 week from the first"));
  const Reading counted = read(daily, {.frequency = Frequency{}});
  EXPECT_EQ(counted.set.frequency, Frequency{});
  EXPECT_EQ(counted.set.series[0].start, 1);
  EXPECT_EQ(counted.set.series[0].rows, 4);
  EXPECT_EQ(counted.set.time_column, "");
  EXPECT_THAT(counted.report.sentences(counted.set),
              ElementsAre(HasSubstr("the stamps of column 'date' are not used; rows are counted "
                                    "from 1")));
  EXPECT_THAT(refusal("date,y\n2020-01-02,1\n2020-01-01,2\n2020-01-03,2\n2020-01-04,2\n",
                      {.frequency = Frequency{}}),
              HasSubstr("row 3, column date: the time stamp"));
  EXPECT_THAT(refusal(daily, {.frequency = Frequency{Unit::index, 2}}),
              HasSubstr("counts whole numbers, but the stamps are dates"));
}

TEST_F(ReadWide, ConstantAndEmptyColumnsAreTheCallersAffair) {
  const Reading r = read("date,a,b\n2020-01-01,1,\n2020-01-02,1,\n2020-01-03,1,\n");
  EXPECT_THAT(r.set.series[0].values, values_are({1, kNaN, 1, kNaN, 1, kNaN}));
}

TEST_F(ReadWide, FromStandardInput) {
  const attn::test::PipedInput input("date,y\n2020-01-01,1\n2020-01-02,2\n2020-01-04,2\n");
  const std::string sentence = attn::test::sentence_of([] { read_series("-"); });
  EXPECT_THAT(sentence, StartsWith("standard input: row 4, column date: a gap"));
  const attn::test::PipedInput again("date\ty\n2020-01-01\t1\n2020-01-02\t\n");
  const Reading r = read_series("-");
  EXPECT_EQ(r.set.path, "-");
  EXPECT_THAT(r.report.sentences(r.set), ElementsAre("standard input: 1 value is missing"));
}

}  // namespace
}  // namespace timeseries::test
