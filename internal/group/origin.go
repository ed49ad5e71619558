package group

import (
	"doorplate/internal/access"
)

// objectFor is Object with what depends on the asker: whether the group was
// created where they could have disbanded it, too. A head manages only what was
// created below their departments. req: D16, D17
func (g Group) objectFor(by access.Actor, joined bool) access.Object {
	o := g.Object(joined)
	if g.CreatedPath == "" || g.CreatedPath == g.DepartmentPath {
		return o
	}
	there := o
	there.Path, there.Joined = g.CreatedPath, false
	o.MovedIn = access.Decide(by, access.GroupDisband, there) == access.Denied
	return o
}

// createdIn is the department in which the group was created, for the moment it is moved.
func (g Group) createdIn() int64 {
	if g.CreatedDepartmentID != nil {
		return *g.CreatedDepartmentID
	}
	return g.DepartmentID
}
