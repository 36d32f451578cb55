package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// registerCodecs teaches a connection the types that ingestion sends, and the part builder reads, by the thousand.
//
// pgx encodes an array element by element through an interface, and a google/uuid.UUID by way of its text, because it
// is a driver.Valuer; half of the server's CPU under load went there. These codecs write the binary form of the whole
// slice in one loop. Every other type of value goes on as before.
func registerCodecs(_ context.Context, conn *pgx.Conn) error {
	m := conn.TypeMap()
	m.RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}})
	m.RegisterType(&pgtype.Type{Name: "jsonb", OID: pgtype.JSONBOID, Codec: &pgtype.JSONBCodec{Marshal: json.Marshal, Unmarshal: readJSON}})
	for _, array := range []struct {
		name    string
		oid     uint32
		element uint32
	}{
		{"_uuid", pgtype.UUIDArrayOID, pgtype.UUIDOID},
		{"_text", pgtype.TextArrayOID, pgtype.TextOID},
		{"_int4", pgtype.Int4ArrayOID, pgtype.Int4OID},
		{"_int8", pgtype.Int8ArrayOID, pgtype.Int8OID},
		{"_timestamptz", pgtype.TimestamptzArrayOID, pgtype.TimestamptzOID},
		{"_jsonb", pgtype.JSONBArrayOID, pgtype.JSONBOID},
	} {
		element, ok := m.TypeForOID(array.element)
		if !ok {
			return fmt.Errorf("the driver does not know type %d", array.element)
		}
		m.RegisterType(&pgtype.Type{Name: array.name, OID: array.oid,
			Codec: arrayCodec{&pgtype.ArrayCodec{ElementType: element}}})
	}
	return nil
}

// readJSON copies JSON that is kept as it came. pgx would check it first, which PostgreSQL did when it stored it: that took a seventh
// of the part builder's time.
func readJSON(data []byte, into any) error {
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = bytes.Clone(data)
		return nil
	}
	return json.Unmarshal(data, into)
}

// uuidCodec is pgx's own with a short way for uuid.UUID.
type uuidCodec struct{ pgtype.UUIDCodec }

func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return encodeUUID{}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return scanUUID{}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

type encodeUUID struct{}

func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	id, ok := value.(uuid.UUID)
	if !ok {
		return nil, fmt.Errorf("encode %T as uuid", value)
	}
	return append(buf, id[:]...), nil
}

type scanUUID struct{}

func (scanUUID) Scan(src []byte, target any) error {
	id, ok := target.(*uuid.UUID)
	switch {
	case !ok:
		return fmt.Errorf("scan uuid into %T", target)
	case src == nil:
		return errors.New("cannot scan NULL into *uuid.UUID")
	case len(src) != len(id):
		return fmt.Errorf("a uuid of %d bytes", len(src))
	}
	copy(id[:], src)
	return nil
}

// arrayCodec is pgx's own with a short way for the slices below.
type arrayCodec struct{ *pgtype.ArrayCodec }

func (c arrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case []uuid.UUID, []string, []int32, []int64, []time.Time, []json.RawMessage:
			return encodeSlice{element: c.ElementType.OID}
		}
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

// encodeSlice writes the binary form of a one-dimensional array without NULLs: dimensions, a flag, the element's type,
// the length, the lower bound, then each element with its size before it.
type encodeSlice struct{ element uint32 }

func (p encodeSlice) Encode(value any, buf []byte) ([]byte, error) {
	switch v := value.(type) {
	case []uuid.UUID:
		return appendArray(buf, p.element, v, func(b []byte, id uuid.UUID) []byte { return append(b, id[:]...) })
	case []string:
		return appendArray(buf, p.element, v, func(b []byte, s string) []byte { return append(b, s...) })
	case []int32:
		return appendArray(buf, p.element, v, func(b []byte, n int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) })
	case []int64:
		return appendArray(buf, p.element, v, func(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) })
	case []time.Time:
		return appendArray(buf, p.element, v, func(b []byte, t time.Time) []byte {
			return binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()-postgresEpochMicros))
		})
	case []json.RawMessage:
		return appendArray(buf, p.element, v, func(b []byte, j json.RawMessage) []byte { return append(append(b, jsonbVersion), j...) })
	}
	return nil, fmt.Errorf("encode %T as an array", value)
}

const (
	// postgresEpochMicros is 2000-01-01T00:00:00Z, from which PostgreSQL counts.
	postgresEpochMicros = 946_684_800_000_000
	jsonbVersion        = 1
)

func appendArray[T any](buf []byte, element uint32, values []T, one func([]byte, T) []byte) ([]byte, error) {
	if values == nil {
		return nil, nil // NULL
	}
	if len(values) > math.MaxInt32 {
		return nil, fmt.Errorf("an array of %d elements", len(values))
	}
	dimensions := uint32(1)
	if len(values) == 0 {
		dimensions = 0
	}
	buf = binary.BigEndian.AppendUint32(buf, dimensions)
	buf = binary.BigEndian.AppendUint32(buf, 0) // no NULLs
	buf = binary.BigEndian.AppendUint32(buf, element)
	if dimensions == 0 {
		return buf, nil
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(values)))
	buf = binary.BigEndian.AppendUint32(buf, 1) // the lower bound
	for _, v := range values {
		at := len(buf)
		buf = one(binary.BigEndian.AppendUint32(buf, 0), v)
		size := len(buf) - at - 4
		if size > math.MaxInt32 {
			return nil, fmt.Errorf("an element of %d bytes", size)
		}
		binary.BigEndian.PutUint32(buf[at:], uint32(size))
	}
	return buf, nil
}
