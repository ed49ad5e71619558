package join

import (
	"fmt"

	"gorm.io/gorm"
)

// Origin is where somebody who asks came from. req: C45
type Origin struct {
	Channel     string
	CopySerial  int    // 0 is the code itself
	CopyPlace   string // where that copy hangs
	UTMSource   string `gorm:"column:utm_source"`
	UTMMedium   string `gorm:"column:utm_medium"`
	UTMCampaign string `gorm:"column:utm_campaign"`
}

// Known reports whether there is anything to say.
func (o Origin) Known() bool { return o != Origin{} }

// origin reads it: from the scan, and of one that was deleted what the request kept.
func origin(tx *gorm.DB, requestID int64) (o Origin, err error) {
	err = tx.Raw(`SELECT CASE WHEN r.channel <> '' THEN r.channel ELSE coalesce(s.channel, '') END AS channel,
		CASE WHEN r.copy_serial > 0 THEN r.copy_serial ELSE coalesce(s.copy_serial, 0) END AS copy_serial, coalesce(k.place, '') AS copy_place,
		coalesce(s.utm_source, '') AS utm_source, coalesce(s.utm_medium, '') AS utm_medium, coalesce(s.utm_campaign, '') AS utm_campaign
		FROM join_requests r LEFT JOIN scans s ON s.id = r.scan_id
		LEFT JOIN code_copies k ON k.code_id = r.code_id AND k.serial > 0 AND k.serial = CASE WHEN r.copy_serial > 0 THEN r.copy_serial ELSE s.copy_serial END
		WHERE r.id = ?`, requestID).Scan(&o).Error
	if err != nil {
		err = fmt.Errorf("read where the request came from: %w", err)
	}
	return o, err
}
