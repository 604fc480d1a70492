import QtQuick
import Victron.VenusOS

// One device of ours: its state and link; below them what is wrong, if anything is.
ListNavigation {
	id: root

	required property string uid
	readonly property Device device: Device { serviceUid: root.uid }
	readonly property VeQuickItem version: VeQuickItem {
		uid: root.uid + "/Mgmt/ProcessVersion"
		onValueChanged: root.tellVersion()
	}
	readonly property VeQuickItem stateItem: VeQuickItem { uid: root.uid + "/State" }
	readonly property VeQuickItem quality: VeQuickItem {
		uid: root.uid + "/Mppdbus/Link/Quality"
	}
	readonly property VeQuickItem doctor: VeQuickItem { uid: root.uid + "/Mppdbus/Doctor" }
	readonly property VeQuickItem fault: VeQuickItem { uid: root.uid + "/Mppdbus/Fault" }
	readonly property VeQuickItem trouble: VeQuickItem {
		uid: root.uid + "/Mppdbus/Trouble"
	}

	signal versionFound(string text)

	function tellVersion() {
		if (preferredVisible && version.valid) {
			versionFound(version.value)
		}
	}

	// The text of a state is asked of another object from gui-v2 1.3 on.
	function stateText(value) {
		return VenusOS.system_stateToText ? VenusOS.system_stateToText(value)
				: Global.system.systemStateToText(value)
	}

	text: device.name
	secondaryText: [
		stateItem.valid ? stateText(stateItem.value) : "",
		quality.valid ? "link " + Math.round(quality.value) + " %" : ""
	].filter((part) => part).join(", ")
	caption: (doctor.valid && doctor.value) || (fault.valid && fault.value)
			|| (trouble.valid && trouble.value) || ""
	preferredVisible: device.productId === 0xBA44
	onPreferredVisibleChanged: tellVersion()
	onClicked: Global.pageManager.pushPage("qrc:/mppdbus/UnitPage.qml", { "device": device })
}
