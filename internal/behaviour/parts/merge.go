package parts

import "strconv"

// AddChunk adds the rows of a chunk of another part: read returns what that part has of the chunk in a column. A prop
// that was no column there is none of those rows here.
//
// Errors: those of read, ErrDamaged. After an error the builder must not be used.
func (b *Builder) AddChunk(h *Header, chunk int, read func(column int) ([]byte, error)) error {
	c := &h.Chunks[chunk]
	start := len(b.rows)
	if err := b.addRows(c, read); err != nil {
		return err
	}
	var p Prop
	for k, name := range h.Props {
		e := &c.Columns[FirstProp+k]
		switch {
		case e.Left:
			col := b.prop(name)
			left := col.leave()
			for i := range c.Rows {
				col.set(start+i, left)
			}
		case e.Length > 0:
			data, err := read(FirstProp + k)
			if err != nil {
				return err
			}
			if err := c.DecodeProp(&p, FirstProp+k, data); err != nil {
				return err
			}
			b.prop(name).addProp(start, &p)
		}
	}
	return nil
}

func (b *Builder) addRows(c *Chunk, read func(column int) ([]byte, error)) error {
	var data [FirstProp][]byte
	for _, k := range []int{ColPerson, ColTS, ColReceived, ColTie} {
		var err error
		if data[k], err = read(k); err != nil {
			return err
		}
	}
	persons, err := c.DecodePersons(nil, data[ColPerson])
	if err != nil {
		return err
	}
	times, err := c.DecodeTimes(nil, data[ColTS])
	if err != nil {
		return err
	}
	received, err := c.DecodeReceived(nil, data[ColReceived])
	if err != nil {
		return err
	}
	ties, err := c.DecodeTies(nil, data[ColTie])
	if err != nil {
		return err
	}
	name := b.names.code(c.Name)
	for i := range persons {
		b.rows = append(b.rows, row{
			ts: times[i], received: times[i] + received[i], tie: ties[i], person: persons[i], name: name,
			at: uint32(len(b.rows)),
		})
	}
	return nil
}

// addProp adds the values of rows from start on.
func (c *column) addProp(start int, p *Prop) {
	if p.Numbers == nil {
		codes := make([]uint32, len(p.Values))
		for i, v := range p.Values {
			codes[i] = c.values.code(v)
		}
		for i, code := range p.Codes {
			if code != 0 {
				c.set(start+i, codes[code])
			}
		}
		return
	}
	for i := range p.Numbers {
		if v := p.Value(i); v.Kind != Absent {
			c.set(start+i, c.values.code(v))
		}
	}
}

// Value returns the value of a row.
func (p *Prop) Value(i int) Value {
	switch {
	case p.Numbers == nil:
		return p.Values[p.Codes[i]]
	case p.Has != nil && p.Has[i] != Number:
		return Value{Kind: p.Has[i]}
	default:
		return Value{Number, FormatNumber(p.Numbers[i], p.Scale)}
	}
}

// FormatNumber returns the one text of a mantissa with so many digits behind the point.
func FormatNumber(mantissa int64, scale int) string {
	var b [24 + maxDigits]byte
	digits := strconv.AppendInt(b[:0], mantissa, 10)
	if scale == 0 {
		return string(digits)
	}
	sign := 0
	if mantissa < 0 {
		sign = 1
	}
	text := make([]byte, 0, len(digits)+scale+2)
	text = append(text, digits[:sign]...)
	digits = digits[sign:]
	for len(digits) <= scale {
		digits = append([]byte{'0'}, digits...)
	}
	text = append(text, digits[:len(digits)-scale]...)
	text = append(text, '.')
	text = append(text, digits[len(digits)-scale:]...)
	return Trim(string(text))
}
