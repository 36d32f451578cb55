package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bahagh/nimbus/internal/access/accounts"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// accountVerbs are the words after accounts.
var accountVerbs = []string{"list", "create", "disable", "enable", "delete", "reset-password", "make-operator"}

// accountOptions are what may stand behind the address.
var accountOptions = map[string]string{"create": "operator", "delete": "with-projects"}

// runAccounts works on the database itself: for whoever can read the settings, and has no account yet or can no longer log in.
func runAccounts(ctx context.Context, e *env) error { return told(manageAccounts(ctx, e)) }

// told turns an answer for a caller of the API into a sentence for a terminal.
func told(err error) error {
	p := (*problem.Error)(nil)
	if !errors.As(err, &p) || p.Cause != nil {
		return err
	}
	text := p.Detail
	for i, f := range p.Fields {
		if i == 0 {
			text = ""
		} else {
			text += "; "
		}
		text += strings.TrimPrefix(f.Pointer, "/") + " " + f.Detail
	}
	return errors.New(text)
}

func manageAccounts(ctx context.Context, e *env) error {
	verb, email, option, err := accountWords(e.args)
	if err != nil {
		return usageError{err} // before a database is started for it
	}
	d, err := e.database(ctx)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx))
	unused := make([]byte, 32) // it signs tokens, and none is made here
	_, _ = rand.Read(unused)   // never fails
	service, err := accounts.New(d.Pool, accounts.Config{Secret: unused, Members: projects.New(d.Pool, nil, projects.Config{Now: time.Now})})
	if err != nil {
		return err
	}
	switch verb {
	case "list":
		return listAccounts(ctx, e, service)
	case "create":
		_, link, err := service.Create(ctx, email, option)
		if err != nil {
			return err
		}
		return e.printLink(email, link)
	}
	account, err := service.Find(ctx, email)
	if err != nil {
		return fmt.Errorf("there is no account of %s; nimbus accounts list shows all", email)
	}
	switch verb {
	case "reset-password":
		link, err := service.ResetLink(ctx, account.ID)
		if err != nil {
			return err
		}
		return e.printLink(email, link)
	case "delete":
		err = service.Delete(ctx, account.ID, option)
	case "make-operator":
		_, err = service.Update(ctx, account.ID, accounts.AccountChange{Operator: new(true)})
	default:
		_, err = service.Update(ctx, account.ID, accounts.AccountChange{Disabled: new(verb == "disable")})
	}
	if err != nil {
		return err
	}
	done := map[string]string{"delete": "is deleted", "make-operator": "operates this server", "disable": "is disabled", "enable": "is enabled"}
	_, err = fmt.Fprintf(e.stdout, "%s %s.\n", account.Email, done[verb])
	return err
}

// accountWords reads the words after accounts.
func accountWords(args []string) (verb, email string, option bool, err error) {
	if len(args) == 0 {
		return "", "", false, fmt.Errorf("accounts takes %s", alternatives(accountVerbs))
	}
	verb, args = args[0], args[1:]
	allowed := accountOptions[verb]
	switch {
	case !slices.Contains(accountVerbs, verb):
		return "", "", false, fmt.Errorf("accounts takes %s, not %q", alternatives(accountVerbs), verb)
	case verb == "list" && len(args) > 0:
		return "", "", false, fmt.Errorf("accounts list does not take %q", args[0])
	case verb == "list":
		return verb, "", false, nil
	case len(args) == 0:
		return "", "", false, fmt.Errorf("accounts %s needs the address of the account", verb)
	case len(args) > 2 || len(args) == 2 && (allowed == "" || args[1] != allowed):
		return "", "", false, fmt.Errorf("accounts %s does not take %q", verb, args[len(args)-1])
	}
	return verb, args[0], len(args) == 2, nil
}

func listAccounts(ctx context.Context, e *env, service *accounts.Service) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EMAIL\tCREATED\tLAST SEEN\tPROJECTS\tEVENTS\tSTATE")
	for cursor := ""; ; {
		page, next, err := service.List(ctx, "", 200, cursor)
		if err != nil {
			return err
		}
		for _, a := range page {
			seen, state := "never", []string(nil)
			if a.LastSeenAt != nil {
				seen = a.LastSeenAt.UTC().Format(time.DateOnly)
			}
			if a.Operator {
				state = append(state, "operator")
			}
			if a.Disabled {
				state = append(state, "disabled")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", a.Email, a.CreatedAt.UTC().Format(time.DateOnly), seen, a.Projects, a.Events, cmp.Or(strings.Join(state, ", "), "-"))
		}
		if cursor = next; cursor == "" {
			return w.Flush()
		}
	}
}

// printLink says how the person of the account sets a password.
func (e *env) printLink(email string, link accounts.Link) error {
	_, err := fmt.Fprintf(e.stdout, "Whoever opens this link sets the password of %s. It works once, until %s:\n%s\n",
		email, link.ExpiresAt.UTC().Format("2006-01-02 15:04 MST"), cmp.Or(e.cfg.PublicURL, "http://"+e.cfg.Addr)+link.Path())
	return err
}
