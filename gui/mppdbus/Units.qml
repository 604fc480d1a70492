import QtQuick
import Victron.VenusOS

// Settings → Integrations → UI Plugins → mppdbus: all units, and how they are.
Page {
	id: root

	property string version

	title: "mppdbus"

	GradientListView {
		model: VisibleItemModel {
			ListText {
				text: "Version"
				secondaryText: root.version || "the daemon is not running"
			}

			SettingsColumn {
				width: parent ? parent.width : 0
				Repeater {
					model: FilteredServiceModel { serviceTypes: ["multi", "inverter", "battery"] }
					delegate: UnitRow {
						onVersionFound: (text) => root.version = text
					}
				}
			}
		}
	}
}
