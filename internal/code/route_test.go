package code_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"doorplate/internal/code"
	"doorplate/internal/group"
)

// doors have ten seats each, of which so many are taken.
func doors(taken ...int) []code.Door {
	all := make([]code.Door, len(taken))
	for i, n := range taken {
		all[i] = code.Door{Room: &group.Group{ID: int64(i + 1), MemberCount: n, Capacity: 10}, Weight: i + 1, Own: i == 0}
	}
	return all
}

func fits(d code.Door) bool { return d.Room.MemberCount < d.Room.Capacity }

func TestPick(t *testing.T) {
	for name, c := range map[string]struct {
		route       string
		taken       []int
		departments []string
		want        int64
	}{
		"the first":                {code.RouteOrder, []int{9, 0, 0}, nil, 1},
		"the next when full":       {code.RouteOrder, []int{10, 10, 3}, nil, 3},
		"nobody":                   {code.RouteOrder, []int{10, 10, 10}, nil, 0},
		"the least full":           {code.RouteLeast, []int{5, 4, 6}, nil, 2},
		"the first of equals":      {code.RouteLeast, []int{5, 5, 5}, nil, 1},
		"the department's":         {code.RouteDepartment, []int{0, 0, 0}, []string{"/1/2/"}, 2},
		"the nearest one's":        {code.RouteDepartment, []int{0, 0, 0}, []string{"/1/2/3/4/"}, 3},
		"above, when it is full":   {code.RouteDepartment, []int{0, 0, 10}, []string{"/1/2/3/4/"}, 2},
		"own for everybody else":   {code.RouteDepartment, []int{0, 0, 0}, []string{"/1/9/"}, 1},
		"not another department's": {code.RouteDepartment, []int{10, 0, 0}, []string{"/1/9/"}, 0},
		"own alone":                {code.RouteOne, []int{3}, nil, 1},
	} {
		all := doors(c.taken...)
		if len(all) > 2 {
			all[1].For, all[2].For = "/1/2/", "/1/2/3/"
		}
		got := int64(0)
		if d := code.Pick(c.route, all, fits, 7, c.departments); d != nil {
			got = d.Room.ID
		}
		if got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// The shares follow the weights, and a visitor gets the same door each time.
func TestWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	all, got := doors(0, 0, 10, 0), map[int64]int{} // weights 1, 2, and 4: the third is full
	const visits = 14_000
	for range visits {
		seed := rng.Uint64()
		d := code.Pick(code.RouteWeight, all, fits, seed, nil)
		if again := code.Pick(code.RouteWeight, all, fits, seed, nil); again != d {
			t.Fatal("one visitor, two doors")
		}
		got[d.Room.ID]++
	}
	for id, weight := range map[int64]float64{1: 1, 2: 2, 3: 0, 4: 4} {
		want := visits * weight / 7
		if math.Abs(float64(got[id])-want) > 4*math.Sqrt(want) {
			t.Errorf("door %d got %d of %d, want about %.0f", id, got[id], visits, want)
		}
	}
}
