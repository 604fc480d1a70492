import QtQuick
import Victron.VenusOS

// "Details (mppdbus)" on the page of each device of ours. A row without a value is hidden.
Page {
	id: root

	property var device // as gui-v2 gives it

	component TextRow: ListText {
		required property string path

		dataItem.uid: root.device.serviceUid + path
		preferredVisible: dataItem.valid && dataItem.value !== ""
	}

	component PercentRow: ListQuantity {
		required property string path

		dataItem.uid: root.device.serviceUid + path
		preferredVisible: dataItem.valid
		unit: VenusOS.Units_Percentage
	}

	title: device ? device.name + " (mppdbus)" : "mppdbus"

	GradientListView {
		model: VisibleItemModel {
			TextRow { text: "Doctor"; path: "/Mppdbus/Doctor" }
			TextRow { text: "Fault"; path: "/Mppdbus/Fault" }
			TextRow { text: "Warnings"; path: "/Mppdbus/Warnings" }
			TextRow { text: "What does not fit"; path: "/Mppdbus/Trouble" }

			SettingsListHeader { text: "Link" }
			TextRow { text: "Port"; path: "/Mgmt/Connection" }
			PercentRow { text: "Good replies in the last hour"; path: "/Mppdbus/Link/Quality" }
			TextRow { text: "Failed attempts since the start"; path: "/Mppdbus/Link/Failures" }
			TextRow { text: "Family of the inverter"; path: "/Mppdbus/Dialect" }
			TextRow { text: "Version of mppdbus"; path: "/Mgmt/ProcessVersion" }

			SettingsListHeader {
				text: "State of charge"
				preferredVisible: soc.preferredVisible || socOrigin.preferredVisible
			}
			PercentRow { id: soc; text: "State of charge"; path: "/Soc" }
			PercentRow { text: "It may be off by, up or down"; path: "/Mppdbus/Soc/Margin" }
			TextRow { id: socOrigin; text: "Where it comes from"; path: "/Mppdbus/Origin/Soc" }

			SettingsListHeader {
				text: "How sure the values are"
				preferredVisible: load.preferredVisible
			}
			TextRow { id: load; text: "Load"; path: "/Mppdbus/Origin/Load" }
			TextRow { text: "Power from the mains"; path: "/Mppdbus/Origin/AcIn" }
			TextRow { text: "Current from the mains"; path: "/Mppdbus/Origin/AcInCurrent" }
			TextRow { text: "Solar power"; path: "/Mppdbus/Origin/Yield" }
			TextRow { text: "Battery voltage and current"; path: "/Mppdbus/Origin/Battery" }
			TextRow { text: "Energy counters"; path: "/Mppdbus/Origin/Energy" }
			TextRow { text: "State"; path: "/Mppdbus/Origin/State" }

			SettingsListHeader {
				text: "Settings of the inverter"
				preferredVisible: switches.preferredVisible || level.preferredVisible
			}
			TextRow { id: switches; text: "On and off"; path: "/Mppdbus/Switches" }
			TextRow { id: level; text: "What mppdbus may change"; path: "/Mppdbus/Control/Level" }
			TextRow { text: "Last change"; path: "/Mppdbus/Control/LastWrite" }
		}
	}
}
