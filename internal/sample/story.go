package sample

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Story is a shop with habits, for the demo: each hour brings new visitors, some of whom sign up and some of whom come
// back. Visitors come by day more than by night and on weekdays more than at weekends; most come once, a few for
// months. In each four weeks there is a campaign, which brings many who do not stay, and an afternoon in which payments
// fail. What happens in an hour depends on the seed and the hour alone.
type Story struct {
	Seed     uint64
	Visitors int // new visitors an hour, on average over the day
}

const (
	cycleDays   = 28 // campaign and outage come once in so many days
	campaignDay = 9  // and the two days after it
	outageDay   = 19
	outageFrom  = 12 // UTC, for three hours
	memoryDays  = 60 // nobody comes back later
)

var (
	countries  = []string{"DE", "DE", "DE", "FR", "FR", "US", "US", "GB", "AT", "NL"}
	landings   = []string{"/", "/", "/", "/products", "/products", "/pricing", "/blog/gift-ideas", "/blog/how-we-print"}
	firstNames = []string{
		"Ada", "Ben", "Chloé", "David", "Emma", "Farid", "Grace", "Hugo",
		"Ines", "Jonas", "Kenza", "Liam", "Mira", "Noah", "Olga", "Paul",
	}
	lastNames = []string{
		"Adler", "Bernard", "Costa", "Dubois", "Evans", "Fischer", "Garcia",
		"Haddad", "Ivanova", "Jansen", "Kaya", "Lefèvre", "Moretti", "Novak",
	}
	companies = []string{
		"Acme", "Borealis", "Cedar & Co", "Delta Labs", "Everline",
		"Foxglove", "Granite", "Harbour", "Iris Media", "Juniper",
	}
	// Of those who come from there, so many sign up.
	signUps = map[string]float64{"google": 0.14, "direct": 0.2, "newsletter": 0.16, "twitter": 0.06, "github": 0.24, "campaign": 0.05}
)

// visitor is somebody who came to the shop in an hour for the first time.
type visitor struct {
	id        string
	born      int64 // the hour
	source    string
	device    string
	country   string
	landing   string
	loyalty   float64 // from 0 to 1
	signsUp   int     // on which day after the first; -1 for never
	upgrades  int     // on which day after the first he takes a paid plan; -1 for never
	patience  float64 // how far he comes down the shop's steps
	favourite string
	name      string // known once he has signed up, as is the company that he buys for
	company   string
}

// Hour returns the events of the sessions that begin about the hour of t, ordered as they happen in each session.
func (s *Story) Hour(t time.Time) []Event {
	hour := t.UTC().Unix() / 3600
	var out []Event
	for day := range int64(memoryDays) {
		for k := range s.born(hour - 24*day) {
			v := s.visitor(hour-24*day, k)
			r := s.random(v.born, int64(k)+1, day+1)
			// He comes on the day on which he signs up, and when he takes a paid plan.
			if chance := r.Float64(); day == 0 || int(day) == v.signsUp || int(day) == v.upgrades || chance < v.returns(day, hour) {
				out = append(out, s.visit(r, &v, hour, int(day))...)
			}
		}
	}
	return out
}

func (s *Story) random(parts ...int64) *rand.Rand {
	h := s.Seed
	for _, p := range parts {
		h = (h ^ uint64(p)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return rand.New(rand.NewPCG(h, s.Seed)) //nolint:gosec // reproducible, not secret
}

// dayOf says which day of the four weeks an hour is in, and its hour of the day.
func dayOf(hour int64) (day, of int) { return int(hour / 24 % cycleDays), int(hour % 24) }

func isCampaign(hour int64) bool {
	day, _ := dayOf(hour)
	return day >= campaignDay && day < campaignDay+3
}

func isOutage(hour int64) bool {
	day, of := dayOf(hour)
	return day == outageDay && of >= outageFrom && of < outageFrom+3
}

// born is how many come for the first time in an hour.
func (s *Story) born(hour int64) int {
	at := time.Unix(hour*3600, 0).UTC()
	n := float64(s.Visitors) * (1 + 0.75*math.Sin(float64(at.Hour()-9)/24*2*math.Pi))
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
		n *= 0.6
	}
	if isCampaign(hour) {
		n *= 2.2
	}
	return int(math.Round(n * (0.75 + 0.5*s.random(hour).Float64())))
}

func (s *Story) visitor(hour int64, k int) visitor {
	r := s.random(hour, int64(k)+1)
	v := visitor{
		id: strconv.FormatInt(hour*1000+int64(k), 36), born: hour, source: pick(r, sources), device: pick(r, devices), country: pick(r, countries),
		landing: pick(r, landings), loyalty: math.Pow(r.Float64(), 6), signsUp: -1, upgrades: -1, patience: r.Float64(), favourite: pick(r, products),
	}
	if isCampaign(hour) && r.Float64() < 0.6 {
		v.source, v.landing, v.device = "campaign", "/sale", "mobile"
		v.loyalty *= 0.3
	}
	if r.Float64() < signUps[v.source]+0.35*v.loyalty {
		v.signsUp = 0
		if r.Float64() < 0.4 {
			v.signsUp = 1 + r.IntN(3)
		}
		v.loyalty = 0.12 + 0.8*v.loyalty
		if r.Float64() < 0.22*(0.5+v.loyalty) {
			v.upgrades = v.signsUp + 1 + r.IntN(9)
		}
		v.name = pick(r, firstNames) + " " + pick(r, lastNames)
		if r.Float64() < 0.5 {
			v.company = pick(r, companies)
		}
	}
	return v
}

// returns is how likely he comes so many days after his first visit.
func (v *visitor) returns(day, hour int64) float64 {
	p := v.loyalty * (0.15 + 0.6*math.Exp(-float64(day)/(4+40*v.loyalty)))
	if d := time.Unix(hour*3600, 0).UTC().Weekday(); d == time.Saturday || d == time.Sunday {
		p *= 0.55
	}
	if isOutage(hour) {
		p *= 0.4
	}
	return p
}

// visit is a session, so many days after the first.
func (s *Story) visit(r *rand.Rand, v *visitor, hour int64, day int) []Event {
	c := session{visitor: v, r: r, id: fmt.Sprintf("story-%d-%s-%d", s.Seed, v.id, day), device: v.device, anonymous: "a_" + v.id,
		at: time.Unix(hour*3600, 0).UTC().Add(time.Duration(r.Int64N(int64(3 * time.Hour)))).Truncate(time.Millisecond)}
	if v.signsUp >= 0 && day > v.signsUp {
		c.user = "user_" + v.id
		if r.Float64() < 0.15 { // at another device
			c.device, c.anonymous = "mobile", "a_"+v.id+"_m"
		}
	}
	landing := v.landing
	if day > 0 {
		landing = pick(r, pages)
	}
	c.add("page_view", map[string]any{"page": landing})
	for range r.IntN(3) {
		c.add("page_view", map[string]any{"page": pick(r, pages)})
	}
	if r.Float64() < 0.18 {
		c.add("search", map[string]any{"query": v.favourite, "results": r.IntN(20)})
	}
	if day == v.signsUp {
		c.add("sign_up_started", map[string]any{})
		c.user = "user_" + v.id
		c.add("sign_up", map[string]any{"method": pick(r, []string{"email", "email", "google", "github"})})
		c.learn(map[string]any{"name": v.name, "country": v.country, "first_source": v.source, "landing_page": v.landing, "plan": "free"})
		if v.company != "" {
			c.learn(map[string]any{"company": v.company})
		}
	}
	if day == v.upgrades {
		c.add("plan_upgraded", map[string]any{"to": "pro", "amount": 19})
		c.learn(map[string]any{"plan": "pro"})
	}
	c.shop(hour)
	return c.events
}

// session makes events one after another.
type session struct {
	*visitor
	r         *rand.Rand
	id        string
	user      string
	anonymous string
	device    string
	at        time.Time
	events    []Event
}

func (c *session) add(name string, props map[string]any) {
	props["source"], props["device"], props["country"] = c.source, c.device, c.country
	if c.user != "" {
		if c.company != "" {
			props["company"] = c.company
		}
		props["plan"] = "free"
		if day := int(c.at.Unix()/3600-c.born) / 24; c.upgrades >= 0 && day >= c.upgrades {
			props["plan"] = "pro"
		}
	}
	c.events = append(c.events, Event{Name: name, TS: c.at, UserID: c.user, AnonymousID: c.anonymous, IdempotencyKey: fmt.Sprintf("%s-%d", c.id, len(c.events)), Props: props})
	c.at = c.at.Add(time.Duration(4+c.r.ExpFloat64()*50) * time.Second)
}

// learn says what becomes known of the user with the last event.
func (c *session) learn(props map[string]any) {
	e := &c.events[len(c.events)-1]
	if e.Profile == nil {
		e.Profile = map[string]any{}
	}
	maps.Copy(e.Profile, props)
}

// Campaign says when the campaign began, and when payments failed and until when, in the four weeks that end at now.
func Campaign(now time.Time) (campaign, outage, mended time.Time) {
	for day := range cycleDays {
		start := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -day)
		switch of, _ := dayOf(start.Unix() / 3600); of {
		case campaignDay:
			campaign = start
		case outageDay:
			outage = start.Add(outageFrom * time.Hour)
			mended = outage.Add(3 * time.Hour)
		}
	}
	return campaign, outage, mended
}

// shop goes down the steps from a product to a purchase, the farther the more patient.
func (c *session) shop(hour int64) {
	goes := func(p float64) bool { return c.r.Float64() < p*(0.6+0.5*c.patience) }
	product := c.favourite
	if c.r.Float64() < 0.5 {
		product = pick(c.r, products)
	}
	if !goes(0.62) {
		return
	}
	c.add("product_viewed", map[string]any{"product": product})
	if !goes(0.45) {
		return
	}
	c.add("added_to_cart", map[string]any{"product": product})
	// A phone's keyboard is small: fewer fill in the address.
	if c.device == "mobile" && c.r.Float64() < 0.3 || !goes(0.75) {
		return
	}
	c.add("checkout_started", map[string]any{"product": product})
	if isOutage(hour) {
		c.add("payment_failed", map[string]any{"product": product, "reason": "provider unavailable"})
		return
	}
	if !goes(0.85) {
		return
	}
	c.add("purchased", map[string]any{"product": product, "amount": 8 + c.r.IntN(60), "currency": "EUR"})
}
