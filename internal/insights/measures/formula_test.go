package measures_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/insights/measures"
)

func TestFormulas(t *testing.T) {
	t.Parallel()
	null := math.NaN()
	for text, want := range map[string]float64{
		"A": 6, "A/B": 3, "A ÷ B": 3, "A × B": 12, "A*B - 1": 11, "A − B": 4, "A-B-B": 2, "A/B/B": 1.5, "1 + A * B": 13,
		"(1 + A) * B": 14, "-A": -6, "--A": 6, "2*-A": -12, "-(A+B)": -8, "100 * A / (A + B)": 75, ".5 * A": 3, "1.25": 1.25,
		"A / C": null, "A / D": null, "D": null, "D - D": null, "C / C": null, "C / A": 0, "0 * D": null, "((((A))))": 6,
		"\tA\n+ B ": 8, "A / (B - 2)": null, strings.Repeat("9", 190) + "*" + "9": 9e190, "A·B": 12,
	} {
		f, err := measures.ParseFormula(text, 4)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := f.Of([]float64{6, 2, 0, null})
		if math.Abs(got-want) > 1e-12*math.Abs(want) || math.IsNaN(got) != math.IsNaN(want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
		if f.String() != text {
			t.Errorf("%q is written %q", text, f)
		}
	}
	big, err := measures.ParseFormula("A * A * A", 1)
	if err != nil || !math.IsNaN(big.Of([]float64{1e200})) {
		t.Error("a number beyond a double is not null")
	}
}

func TestBadFormulasSayWhatAndWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":         "1 the end is not expected here: a series, a number or a parenthesis is",
		"A /":      "4 the end is not expected here: a series, a number or a parenthesis is",
		"A B":      `3 "B" is not expected here: an operator is missing before it`,
		"2A":       `2 "A" is not expected here: an operator is missing before it`,
		"A + C":    `5 "C" is no series of this question: they are called A to B`,
		"a":        `1 "a" is no series of this question: they are called A to B`,
		"AB":       `1 "AB" is no series of this question: they are called A to B`,
		"(A + B":   `7 the end is not expected here: the parenthesis of character 1 is not closed`,
		"A + B)":   `6 ")" is not expected here: no parenthesis is open`,
		"A ÷ 1..2": `5 "1..2" is no number`,
		"A × . ":   `5 "." is no number`,
		"A % B":    `3 "%" is not expected here: an operator is missing before it`,
		"A + + B":  `5 "+" is not expected here: a series, a number or a parenthesis is`,
		"()":       `2 ")" is not expected here: a series, a number or a parenthesis is`,
		"é":        `1 "é" is not expected here: a series, a number or a parenthesis is`,
		"A ^ 2":    `3 "^" is not expected here: an operator is missing before it`,
	} {
		_, err := measures.ParseFormula(text, 2)
		var wrong *measures.FormulaError
		if !errors.As(err, &wrong) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := strconv.Itoa(wrong.Position) + " " + wrong.Detail; got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if _, err := measures.ParseFormula("B", 1); err == nil || !strings.Contains(err.Error(), "it has A only") {
		t.Error(err)
	}
}

// A random formula has the value that its parts have.
func TestFormulasAreWhatTheirPartsAre(t *testing.T) {
	t.Parallel()
	const seed, rounds = 20261130, 2000
	random := rand.New(rand.NewPCG(seed, 1))
	series := []float64{3, 0, math.NaN(), -1.5}
	var make func(depth int) (string, float64)
	make = func(depth int) (string, float64) {
		if depth == 0 || random.IntN(4) == 0 {
			i := random.IntN(len(series))
			return string(rune('A' + i)), series[i]
		}
		left, x := make(depth - 1)
		right, y := make(depth - 1)
		switch random.IntN(5) {
		case 0:
			return "(" + left + ")+(" + right + ")", x + y
		case 1:
			return "(" + left + ") - (" + right + ")", x - y
		case 2:
			return "(" + left + ")×(" + right + ")", x * y
		case 3:
			return "-(" + left + ")", -x
		default:
			if y == 0 {
				return "(" + left + ")/(" + right + ")", math.NaN()
			}
			return "(" + left + ") / (" + right + ")", x / y
		}
	}
	for range rounds {
		text, want := make(4)
		f, err := measures.ParseFormula(text, len(series))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := f.Of(series); got != want && !(math.IsNaN(got) && (math.IsNaN(want) || math.IsInf(want, 0))) {
			t.Fatalf("%q is %v, want %v", text, got, want)
		}
	}
}

func FuzzParseFormula(f *testing.F) {
	f.Add("A / (B + 1.5) × C", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = 1 + (n&0xff)%10
		formula, err := measures.ParseFormula(text, n)
		if err == nil {
			formula.Of(make([]float64, n))
			return
		}
		var wrong *measures.FormulaError
		if !errors.As(err, &wrong) || wrong.Position < 1 || wrong.Position > len(text)+1 {
			t.Errorf("%q: %v", text, err)
		}
	})
}
