// Package parts is the format in which the events of a project's UTC day are kept for questions about people: immutable
// column blocks, ordered by person.
//
// A part is a header and columns. Its rows are ordered by (name, person, ts, received_at, id) and cut into chunks: at
// most ChunkRows rows of one name. Every column is the concatenation of what its chunks say, so that a reader fetches
// the columns, names and people it needs and nothing else; the header says where each chunk of each column is.
//
// All columns of numbers have one encoding (ints.go): the distance to the smallest, in the largest common unit, packed
// in as many bits as most of them need, with the few larger ones apart. A prop is a dictionary of typed values with
// codes, or, where nearly every value is another number, the numbers themselves as mantissas of one exponent, so that
// sums stay exact decimals.
//
// It guarantees:
//
// - whatever goes in comes out: values keep their JSON type, numbers every digit that counts, times every microsecond;
// - the order of a person's rows is exact, also when links and merges make one of several. Within a part, rank orders
// the rows that have the same ts; between parts, received_at and tie, the first 64 bits of the id that are not its
// time, do. Of two rows with the same (name, person, ts, tie) a part keeps the one received first; - damage is
// detected: each chunk of each column, and the header, has a checksum. Decoding returns ErrDamaged or ErrVersion on any
// other input; it does not panic and allocates no more than the header it was given admits; - a prop that would blow a
// part up (values that hardly repeat, long or deeply nested ones, more props than a name may have) is no column. The
// header says so, and a question that needs it reads the events instead.
package parts
