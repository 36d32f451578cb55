package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path"
	"reflect"
	"strconv"
	"strings"
)

// shapes is the types and imports of oapi-codegen's file.
type shapes struct {
	pkg     string
	fset    *token.FileSet
	types   map[string]*ast.TypeSpec
	imports map[string]string // name → import spec as it stands in the file
}

// field is one struct field, found by its JSON name.
type field struct {
	name string
	typ  ast.Expr
}

func loadShapes(file string) (*shapes, error) {
	g := &shapes{fset: token.NewFileSet(), types: map[string]*ast.TypeSpec{}, imports: map[string]string{}}
	f, err := parser.ParseFile(g.fset, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	g.pkg = f.Name.Name
	for _, d := range f.Imports {
		p, err := strconv.Unquote(d.Path.Value)
		if err != nil {
			return nil, err
		}
		name, spec := path.Base(p), d.Path.Value
		if d.Name != nil {
			name, spec = d.Name.Name, d.Name.Name+" "+spec
		}
		g.imports[name] = spec
	}
	for _, d := range f.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range gen.Specs {
			if t, ok := s.(*ast.TypeSpec); ok {
				g.types[t.Name.Name] = t
			}
		}
	}
	return g, nil
}

// print spells a type expression.
func (g *shapes) print(e ast.Expr) string {
	var b bytes.Buffer
	_ = printer.Fprint(&b, g.fset, e) // writing to a bytes.Buffer does not fail
	return b.String()
}

// under follows names of this file to the type behind them: a literal, a predeclared or an imported one.
func (g *shapes) under(e ast.Expr) ast.Expr {
	for {
		id, ok := e.(*ast.Ident)
		if !ok {
			return e
		}
		t, ok := g.types[id.Name]
		if !ok {
			return e
		}
		e = t.Type
	}
}

// named follows aliases to the name that methods are declared on, or "" for a type without one in this file.
func (g *shapes) named(e ast.Expr) string {
	for {
		id, ok := e.(*ast.Ident)
		if !ok {
			return ""
		}
		t, ok := g.types[id.Name]
		if !ok {
			return ""
		}
		if !t.Assign.IsValid() {
			return id.Name
		}
		e = t.Type
	}
}

// component is the Go type of a component schema.
func (g *shapes) component(name string, ext map[string]any) (ast.Expr, error) {
	if s, ok := ext["x-go-name"].(string); ok {
		name = s
	}
	if _, ok := g.types[name]; !ok {
		return nil, fmt.Errorf("the types file has no type %s; name components as Go names types", name)
	}
	return ast.NewIdent(name), nil
}

// fields lists the fields of a struct by their JSON name.
func (g *shapes) fields(s *ast.StructType) map[string]field {
	out := map[string]field{}
	for _, f := range s.Fields.List {
		if f.Tag == nil || len(f.Names) != 1 {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			continue
		}
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name != "" && name != "-" {
			out[name] = field{name: f.Names[0].Name, typ: f.Type}
		}
	}
	return out
}

// isUnion recognises the type that oapi-codegen generates for oneOf.
func isUnion(s *ast.StructType) bool {
	return len(s.Fields.List) == 1 && len(s.Fields.List[0].Names) == 1 && s.Fields.List[0].Names[0].Name == "union"
}
