"""Two CPU devices in this process, so that a model can have two replicas; imported before TensorFlow runs anything."""

import tensorflow as tf

_CPU = tf.config.list_physical_devices("CPU")[0]
if tf.config.get_logical_device_configuration(_CPU) is None:
    tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

DEVICES = ("CPU:0", "CPU:1")
