package live

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // RFC 6455 wants it; it guards nothing
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// A stream only sends, so it needs little of WebSocket (RFC 6455): the handshake, text frames that are encoded once
// for many clients, and the client's three control frames.

// protocol is the subprotocol of the server. It is selected too when the client offers its token as another
// subprotocol: the token is never echoed.
const protocol = "nimbus.v1"

// checkHandshake returns the error that would make the upgrade fail, while it can still be answered as problem+json.
func checkHandshake(r *http.Request) error {
	var bad []contract.FieldError
	report := func(header, detail string) {
		bad = append(bad, contract.FieldError{In: "header", Pointer: "/" + header, Code: "handshake", Detail: detail, Item: -1})
	}
	if !r.ProtoAtLeast(1, 1) || !hasToken(r.Header, "Connection", "upgrade") {
		report("Connection", "a WebSocket needs HTTP/1.1 and Connection: Upgrade; a proxy may have removed it")
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		report("Sec-WebSocket-Version", "must be 13")
	}
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 {
		report("Sec-WebSocket-Key", "must be given once")
	} else if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err != nil || len(key) != 16 {
		report("Sec-WebSocket-Key", "must be 16 bytes as base64")
	}
	if len(bad) > 0 {
		return problem.Invalid(bad...)
	}
	return nil
}

// acceptHandshake writes the headers of the answer to a handshake that was checked.
func acceptHandshake(answer, asked http.Header) {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(strings.TrimSpace(asked.Get("Sec-WebSocket-Key")) + guid)) //nolint:gosec // see the import
	answer.Set("Connection", "Upgrade")
	answer.Set("Upgrade", "websocket")
	answer.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	if hasToken(asked, "Sec-WebSocket-Protocol", protocol) {
		answer.Set("Sec-WebSocket-Protocol", protocol)
	}
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// The opcodes, each with the bit that says that the frame is the whole message.
const (
	opText  = 0x81
	opClose = 0x88
	opPing  = 0x89
	opPong  = 0x8a
)

// maxControl is the largest payload of a control frame.
const maxControl = 125

// appendFrame appends a frame of the server, which are never masked.
func appendFrame(b []byte, op byte, content []byte) []byte {
	switch n := len(content); {
	case n <= maxControl:
		b = append(b, op, byte(n))
	case n <= 1<<16-1:
		b = binary.BigEndian.AppendUint16(append(b, op, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, op, 127), uint64(n))
	}
	return append(b, content...)
}

func appendClose(b []byte, code int, reason string) []byte {
	if code == 0 {
		return appendFrame(b, opClose, nil)
	}
	reason = reason[:min(len(reason), maxControl-2)]
	return appendFrame(b, opClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// The codes with which the server closes a WebSocket of a client that breaks the rules.
const (
	codeProtocol = 1002
	codePolicy   = 1008
)

var (
	errClientMessage = errors.New("the client sent a message")
	errProtocol      = errors.New("not a frame of a WebSocket client")
)

// readControl reads a frame of the client into buffer. Errors: errClientMessage, errProtocol, or that of the
// connection.
func readControl(in *bufio.Reader, buffer *[maxControl]byte) (op byte, content []byte, err error) {
	var head [6]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return 0, nil, fmt.Errorf("read a frame: %w", err)
	}
	op = head[0]
	const masked, opcode, binaryMessage = 0x80, 0x0f, 0x02
	switch {
	case op == opClose, op == opPing, op == opPong:
	case op&opcode <= binaryMessage:
		return 0, nil, errClientMessage
	default:
		return 0, nil, errProtocol
	}
	size := int(head[1] &^ masked)
	if head[1]&masked == 0 || size > maxControl {
		return 0, nil, errProtocol
	}
	if _, err := io.ReadFull(in, head[2:]); err != nil {
		return 0, nil, fmt.Errorf("read a frame: %w", err)
	}
	content = buffer[:size]
	if _, err := io.ReadFull(in, content); err != nil {
		return 0, nil, fmt.Errorf("read a frame: %w", err)
	}
	for k := range content {
		content[k] ^= head[2+k%4]
	}
	return op, content, nil
}

// closeCode returns the code of a frame with which the client ends; 0 is none.
func closeCode(content []byte) int {
	if len(content) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(content))
}
