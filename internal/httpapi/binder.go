package httpapi

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// binder decodes a body with the generated decoder, which names every bad field at once. The strict handler calls it
// for each operation with a body.
type binder struct{}

// Bind decodes a generated request type, and refuses a caller without access to the project that it names.
func (binder) Bind(v any, c echo.Context) error {
	d, ok := v.(contract.Decoder)
	if !ok {
		return fmt.Errorf("%T has no generated decoder", v)
	}
	if r := c.Request(); r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return io.EOF // the strict handler takes it for "no body" where the contract allows that
	}
	b, err := JSONBody(c)
	if err != nil {
		return err
	}
	if err := d.DecodeJSON(b); err != nil {
		return err
	}
	if n, ok := v.(contract.ProjectNamer); ok {
		return Authorize(c, n.NamedProject())
	}
	return nil
}

// JSONBody reads the whole body of a request that says it is JSON. The bytes are valid until the request is answered.
//
// Errors: 415 for another type, and those of reading and decompressing.
func JSONBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if err := checkJSONType(r); err != nil {
		return nil, err
	}
	return bodyOf(c).Plain(r)
}

func checkJSONType(r *http.Request) error {
	const want = "application/json"
	got := r.Header.Get(echo.HeaderContentType)
	if got == want {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(got)
	switch {
	case got == "":
		return problem.New(problem.CodeUnsupportedMediaType, "Content-Type is missing; it must be %s.", want)
	case err != nil || mediaType != want:
		return problem.New(problem.CodeUnsupportedMediaType, "Content-Type must be %s, not %.60q.", want, got)
	}
	if cs, ok := params["charset"]; ok && !strings.EqualFold(cs, "utf-8") {
		return problem.New(problem.CodeUnsupportedMediaType, "JSON is UTF-8; charset %.20q is not.", cs)
	}
	return nil
}
