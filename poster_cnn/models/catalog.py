"""Sizes of the networks that a config can name, so that listing them builds none. A slow test computes them anew."""

_OURS = """
densenet121 7058004 150×150
densenet201 18331589 268×182
mobilenet_v2 2265670 128×128
one_hot_sigmoid_cnn 6295558 150×101
resnet152 58381189 268×182
resnet18 11188677 268×182
resnet50 23597957 268×182
seven_layer_cnn 72932 107×73
six_conv_cnn 78020 150×150
two_conv_cnn 1990858 150×101
vgg16 138370557 224×224
vgg_like_cnn 68556933 268×182
"""
# Of backbones without their last layer.
_KERAS = """
ConvNeXtBase 87566464 224×224
ConvNeXtLarge 196230336 224×224
ConvNeXtSmall 49454688 224×224
ConvNeXtTiny 27820128 224×224
ConvNeXtXLarge 348147968 224×224
DenseNet121 7037504 224×224
DenseNet169 12642880 224×224
DenseNet201 18321984 224×224
EfficientNetB0 4049571 224×224
EfficientNetB1 6575239 240×240
EfficientNetB2 7768569 260×260
EfficientNetB3 10783535 300×300
EfficientNetB4 17673823 380×380
EfficientNetB5 28513527 456×456
EfficientNetB6 40960143 528×528
EfficientNetB7 64097687 600×600
EfficientNetV2B0 5919312 224×224
EfficientNetV2B1 6931124 240×240
EfficientNetV2B2 8769374 260×260
EfficientNetV2B3 12930622 300×300
EfficientNetV2L 117746848 480×480
EfficientNetV2M 53150388 480×480
EfficientNetV2S 20331360 384×384
InceptionResNetV2 54336736 299×299
InceptionV3 21802784 299×299
MobileNet 3228864 224×224
MobileNetV2 2257984 224×224
MobileNetV3Large 2996352 224×224
MobileNetV3Small 939120 224×224
NASNetLarge 84916818 331×331
NASNetMobile 4269716 224×224
ResNet101 42658176 224×224
ResNet101V2 42626560 224×224
ResNet152 58370944 224×224
ResNet152V2 58331648 224×224
ResNet50 23587712 224×224
ResNet50V2 23564800 224×224
VGG16 14714688 224×224
VGG19 20024384 224×224
Xception 20861480 299×299
"""


def _read(text, prefix=""):
    rows = (line.split() for line in text.strip().splitlines())
    return {prefix + name: (int(count), tuple(map(int, size.split("×")))) for name, count, size in rows}


# Name -> (number of parameters, default (height, width)).
NETWORKS = _read(_OURS) | _read(_KERAS, "keras:")
