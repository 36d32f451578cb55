package scan

import (
	"math/big"
	"math/bits"
	"strconv"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// Decimal is an exact decimal number. The zero value is 0.
type Decimal struct {
	mantissa int64
	scale    int      // digits behind the point
	wide     *big.Int // in place of mantissa, where that is too small
}

// decimalOf reads a number as parts have it.
func decimalOf(text string) (Decimal, bool) {
	if m, s, ok := parts.Mantissa(text); ok {
		return Decimal{mantissa: m, scale: s}, true
	}
	digits, scale := text, 0
	for i := range len(text) {
		if text[i] == '.' {
			digits, scale = text[:i]+text[i+1:], len(text)-i-1
			break
		}
	}
	n, ok := new(big.Int).SetString(digits, 10)
	return Decimal{scale: scale, wide: n}, ok
}

func (d *Decimal) big() *big.Int {
	if d.wide != nil {
		return d.wide
	}
	return big.NewInt(d.mantissa)
}

// Add adds another number.
func (d *Decimal) Add(x Decimal) {
	if d.wide == nil && x.wide == nil && d.scale == x.scale {
		if sum := d.mantissa + x.mantissa; (sum > d.mantissa) == (x.mantissa > 0) {
			d.mantissa = sum
			return
		}
	}
	scale := max(d.scale, x.scale)
	sum := new(big.Int).Add(scaled(d.big(), scale-d.scale), scaled(x.big(), scale-x.scale))
	d.scale, d.wide, d.mantissa = scale, sum, 0
	if sum.IsInt64() {
		d.mantissa, d.wide = sum.Int64(), nil
	}
}

func scaled(n *big.Int, digits int) *big.Int {
	if digits == 0 {
		return n
	}
	return new(big.Int).Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
}

// Cmp compares with another number.
func (d *Decimal) Cmp(x Decimal) int {
	if d.wide == nil && x.wide == nil && d.scale == x.scale {
		switch {
		case d.mantissa < x.mantissa:
			return -1
		case d.mantissa > x.mantissa:
			return 1
		default:
			return 0
		}
	}
	scale := max(d.scale, x.scale)
	return scaled(d.big(), scale-d.scale).Cmp(scaled(x.big(), scale-x.scale))
}

// String returns the number without zeros at its end.
func (d Decimal) String() string {
	if d.wide == nil {
		return parts.FormatNumber(d.mantissa, d.scale)
	}
	digits := new(big.Int).Abs(d.wide).String()
	for len(digits) <= d.scale {
		digits = "0" + digits
	}
	text := parts.Trim(digits[:len(digits)-d.scale] + "." + digits[len(digits)-d.scale:])
	if d.wide.Sign() < 0 {
		text = "-" + text
	}
	return text
}

// Rat returns the number as a fraction.
func (d Decimal) Rat() *big.Rat {
	return new(big.Rat).SetFrac(d.big(), scaled(big.NewInt(1), d.scale))
}

// Float returns the nearest double; infinite when there is none.
func (d Decimal) Float() float64 {
	x, _ := strconv.ParseFloat(d.String(), 64) // out of range is infinite
	return x
}

// Over returns the nearest double to a quotient.
func (d Decimal) Over(n int64) float64 {
	q := d.Rat()
	x, _ := q.Quo(q, new(big.Rat).SetInt64(n)).Float64()
	return x
}

// sumFits says whether so many mantissas none of which is larger than most can be added up in an int64.
func sumFits(most uint64, n int) bool {
	hi, lo := bits.Mul64(most, uint64(n))
	return hi == 0 && lo < 1<<62
}
